package contract_test

import (
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// api is one of the two APIs as somebody uses it who may do everything there.
type api struct {
	*service
	*document
	host   string
	role   string            // who may do everything
	tokens map[string]string // by role
	made   int               // values that were made, to have each but once
	kept   map[string]object // what serves more than one call
}

// call is a request of an operation that is to succeed.
type call struct {
	op   *operation
	path map[string]string // what stands for the parameters of the path
	request
}

// wish is how a call is to be made.
type wish struct {
	full  bool // with all that may be given, or with what must be alone
	fresh bool // with records of its own
}

// call returns a call of an operation by what the document says of it, and the records that it needs.
func (a *api) call(t *testing.T, op *operation, w wish) call {
	t.Helper()
	c := call{op: op, path: map[string]string{}, request: request{method: op.method, header: map[string]string{}}}
	if !op.public {
		c.header["Authorization"] = "Bearer " + a.tokens[a.role]
	}
	if op.body != "" {
		c.body = a.sample(t, op.body, "", w)
	}
	for _, p := range op.parametersIn("header") {
		if w.full && w.fresh && p.example != nil {
			c.header[p.name] = uuid.NewString()
		}
	}
	a.prepare(t, &c, w)
	for _, p := range op.parametersIn("path") {
		if c.path[p.name] == "" {
			before, _, _ := strings.Cut(op.path, "{"+p.name+"}")
			record := a.record(t, fill(before, c.path), before, w)
			c.path[p.name], _ = record["id"].(string)
			if value, own := record[p.name].(string); own {
				c.path[p.name] = value
			}
		}
	}
	c.request.path = fill(op.path, c.path)
	return c
}

// fill puts values in the place of a path's parameters.
func fill(path string, values map[string]string) string {
	for name, value := range values {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

// keep returns what was made under a name before, unless a new one is wished for.
func (a *api) keep(name string, w wish, create func() object) object {
	if kept := a.kept[name]; kept != nil && !w.fresh {
		return kept
	}
	made := create()
	if !w.fresh {
		a.kept[name] = made
	}
	return made
}

// record returns a record of a collection, made by the collection's own POST.
func (a *api) record(t *testing.T, path, collection string, w wish) object {
	t.Helper()
	return a.keep(path, w, func() object {
		for _, op := range a.operations {
			if op.path != collection || op.method != http.MethodPost {
				continue
			}
			c := a.call(t, op, wish{fresh: true})
			c.request.path = path
			made := a.send(t, a.host, c.request)
			if made.status != http.StatusCreated {
				t.Fatalf("no record of %s could be made: %d %s", collection, made.status, made.text)
			}
			return made.object()
		}
		t.Fatalf("nothing in the document makes a record of %s: say in prepare how to come by one", collection)
		return nil
	})
}

// sample returns a value that a schema takes; name is that of the property which it is for.
func (a *api) sample(t *testing.T, at pointer, name string, w wish) any {
	t.Helper()
	at, schema := a.follow(at)
	if forms, ok := schema["oneOf"].([]any); ok {
		a.made++
		return a.sample(t, at.to("oneOf", fmt.Sprint(a.made%len(forms))), name, w)
	}
	switch kind(schema) {
	case "object":
		value := object{}
		properties, _ := schema["properties"].(object)
		for _, property := range slices.Sorted(maps.Keys(properties)) {
			if w.full || slices.Contains(required(schema), property) {
				value[property] = a.sample(t, at.to("properties", property), property, w)
			}
		}
		return value
	case "array":
		return []any{a.sample(t, at.to("items"), name, w), a.sample(t, at.to("items"), name, w)}
	case "integer", "number":
		return int(number(schema, "minimum", 1))
	case "boolean":
		return false
	}
	return a.text(t, schema, name, w)
}

// text returns a text that a schema takes, and that no other record has.
func (a *api) text(t *testing.T, schema object, name string, w wish) string {
	t.Helper()
	if values, ok := schema["enum"].([]any); ok {
		return values[0].(string)
	}
	if to, refers := strings.CutSuffix(name, "_id"); refers && schema["format"] == "uuid" {
		return a.reference(t, to, w)
	}
	a.made++
	switch schema["format"] {
	case "uuid":
		return uuid.NewString()
	case "date-time":
		return time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	case "password":
		return fmt.Sprintf("%s %d", password, a.made)
	}
	examples, _ := schema["examples"].([]any)
	switch {
	case len(examples) == 0:
		return fmt.Sprintf("text%d", a.made)
	case schema["format"] == "date", name == "database": // of which there is but one
		return examples[0].(string)
	}
	return unique(examples[0].(string), a.made)
}

// reference returns the id of a record of the collection that a property refers to.
func (a *api) reference(t *testing.T, to string, w wish) string {
	t.Helper()
	for _, op := range a.operations {
		for _, plural := range []string{"s/", "es/", "/"} {
			if strings.HasSuffix(op.path, "/"+strings.ReplaceAll(to, "_", "-")+plural) {
				return a.record(t, op.path, op.path, w)["id"].(string)
			}
		}
	}
	t.Fatalf("no collection of the document is that of %s_id", to)
	return ""
}

var manyDigits = regexp.MustCompile(`\d{6}$`)

// unique changes an example so that it is another one of its kind.
func unique(example string, n int) string {
	local, domain, isEmail := strings.Cut(example, "@")
	first, rest, isHost := strings.Cut(example, ".")
	switch {
	case strings.Contains(example, "://"):
		return fmt.Sprintf("%s%d", example, n)
	case isEmail:
		return fmt.Sprintf("%s%d@%s", local, n, domain)
	case manyDigits.MatchString(example):
		return fmt.Sprintf("%s%06d", example[:len(example)-6], n)
	case isHost && rest != "" && !strings.Contains(example, " "):
		return fmt.Sprintf("%s%d.%s", first, n, rest)
	}
	return fmt.Sprintf("%s%d", example, n)
}

// kind is a schema's type, null aside.
func kind(schema object) string {
	if one, ok := schema["type"].(string); ok {
		return one
	}
	many, _ := schema["type"].([]any)
	for _, one := range many {
		if one != "null" {
			return one.(string)
		}
	}
	return ""
}

func required(schema object) []string {
	var names []string
	list, _ := schema["required"].([]any)
	for _, name := range list {
		names = append(names, name.(string))
	}
	return names
}

// number returns one of the numbers of a schema, or another if it has none.
func number(schema object, name string, other float64) float64 {
	text, ok := schema[name].(fmt.Stringer) // json.Number
	if !ok {
		return other
	}
	value, _ := new(big.Float).SetString(text.String())
	result, _ := value.Float64()
	return result
}
