package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// refusal is a request that must be refused: with a status, and if the input is to blame with a word on which
// part of it.
type refusal struct {
	why string
	request
	status   int
	location string // "" if none needs to be named
	loose    bool   // the location may be named more closely
}

// place is where in a body a value is.
type place []any // names and numbers

func (p place) String() string {
	text := "body"
	for _, step := range p {
		if i, isNumber := step.(int); isNumber {
			text += "[" + strconv.Itoa(i) + "]"
		} else {
			text += "." + step.(string)
		}
	}
	return text
}

func (p place) step(to any) place { return append(slices.Clone(p), to) }

// changed returns a copy of a value in which the one at a place is another; drop takes it away.
func changed(value any, at place, to any) any {
	if len(at) == 0 {
		return to
	}
	switch step := at[0].(type) {
	case string:
		in := maps.Clone(value.(object))
		if in[step] = changed(in[step], at[1:], to); in[step] == drop {
			delete(in, step)
		}
		return in
	default:
		in := slices.Clone(value.([]any))
		in[step.(int)] = changed(in[step.(int)], at[1:], to)
		return in
	}
}

// drop is the value that a property has which is not there.
var drop any = new(int)

// wrong returns what the schema at a place of a body may refuse.
func (a *api) wrong(schema object, value any) []any {
	wrong := []any{nil, true, 7, -1, 1.5, 1e300, json.Number("99999999999999999999"), "no such value", "", "!", "a\x00b", []any{}, object{}, object{"no_such": 1}, []any{[]any{}}}
	if most := number(schema, "maxLength", 0); most > 0 {
		wrong = append(wrong, strings.Repeat("x", int(most)+1), strings.Repeat("é", int(most)+1))
	}
	if least := number(schema, "minLength", 0); least > 1 {
		wrong = append(wrong, strings.Repeat("x", int(least)-1))
	}
	for name, by := range map[string]float64{"minimum": -1, "maximum": 1} {
		if schema[name] != nil {
			wrong = append(wrong, int(number(schema, name, 0)+by))
		}
	}
	if items, ok := value.([]any); ok && len(items) > 0 && schema["maxItems"] != nil {
		wrong = append(wrong, slices.Repeat(items[:1], int(number(schema, "maxItems", 0))+1))
	}
	return wrong
}

// badBodies returns the refusals of all that can be wrong with a body by its schema.
func (a *api) badBodies(t *testing.T, c call) []refusal {
	t.Helper()
	b := &breaker{T: t, api: a, call: c}
	b.walk(nil, c.op.body, c.body, false)
	for why, text := range map[string]string{"no body": "", "half a body": `{"a":`, "two bodies": "{} {}", "not UTF-8": "{\"a\":\"\xff\"}", "a key twice": `{"a":1,"a":1}`, "no JSON": "a=b"} {
		r := refusal{why: why, request: c.request, status: 400}
		r.body = text
		b.refusals = append(b.refusals, r)
	}
	return b.refusals
}

// breaker goes through the body of a call and makes refusals of it.
type breaker struct {
	*testing.T
	*api
	call
	refusals []refusal
}

// add makes a refusal of another value at a place, if the schema refuses it.
func (b *breaker) add(why string, at place, loose bool, to any) {
	b.Helper()
	bad := changed(b.body, at, to)
	text, _ := to.(string)
	if !strings.Contains(text, "\x00") && b.check(b.T, b.op.body, normal(b.T, bad)) == nil {
		return
	}
	encoded, err := json.Marshal(bad)
	must(b.T, err)
	r := refusal{why: fmt.Sprintf("%s: %s", at, why), request: b.request, status: 422, location: at.String(), loose: loose}
	r.body = string(encoded)
	b.refusals = append(b.refusals, r)
}

// walk puts what is wrong in the place of a value and of those within it. Below a choice between schemas the
// one that is to blame may be named more closely, or the choice itself.
func (b *breaker) walk(at place, schema pointer, value any, loose bool) {
	b.Helper()
	_, refers := b.raw(schema)["$ref"]
	schema, s := b.follow(schema)
	for _, to := range b.wrong(s, value) {
		if to != nil || !refers || len(at) == 0 { // null in the place of an object leaves it out
			b.add(fmt.Sprintf("%.60s", fmt.Sprint(to)), at, true, to)
		}
	}
	if forms, ok := s["oneOf"].([]any); ok {
		for i := range forms {
			if form := schema.to("oneOf", strconv.Itoa(i)); b.check(b.T, form, normal(b.T, value)) == nil {
				b.walk(at, form, value, true)
			}
		}
		return
	}
	switch value := value.(type) {
	case object:
		b.add("unknown property", at.step("no_such_property"), loose, "x")
		for _, name := range slices.Sorted(maps.Keys(value)) {
			b.add("missing", at.step(name), loose, drop)
			b.walk(at.step(name), schema.to("properties", name), value[name], loose)
		}
	case []any:
		b.walk(at.step(0), schema.to("items"), value[0], loose)
	}
}

// normal is a value as JSON readers see it.
func normal(t *testing.T, value any) (out any) {
	t.Helper()
	text, err := json.Marshal(value)
	must(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	must(t, decoder.Decode(&out))
	return out
}

// badParameters returns the refusals of what is wrong by the schemas of a path, a query and a head.
func (a *api) badParameters(t *testing.T, c call) []refusal {
	t.Helper()
	var refusals []refusal
	add := func(in, name, value string) {
		r := refusal{why: fmt.Sprintf("%s.%s=%.60s", in, name, value), request: c.request, status: 422, location: in + "." + name}
		switch in {
		case "path":
			r.path = fill(c.op.path, with(c.path, name, url.PathEscape(value)))
		case "query":
			r.query = url.QueryEscape(name) + "=" + url.QueryEscape(value)
		default:
			r.header = with(c.header, name, value)
		}
		refusals = append(refusals, r)
	}
	for _, p := range c.op.parameters {
		_, schema := a.follow(p.schema)
		for _, value := range a.wrong(schema, nil) {
			text := fmt.Sprint(value)
			if _, isText := value.(string); isText && text != "" && !strings.Contains(text, "\x00") && a.check(t, p.schema, parsed(schema, text)) != nil ||
				!isText && kind(schema) == "integer" && value != nil && a.check(t, p.schema, parsed(schema, text)) != nil {
				add(p.in, p.name, text)
			}
		}
		if p.in != "header" { // where net/http refuses them
			add(p.in, p.name, "a\x00b")
			add(p.in, p.name, "a\xffb")
		}
	}
	add("query", "no_such_parameter", "1")
	if len(c.op.parametersIn("query")) > 0 {
		name := c.op.parametersIn("query")[0].name
		twice := refusal{why: "a parameter twice", request: c.request, status: 422, location: "query." + name}
		twice.query = name + "=1&" + name + "=1"
		broken := refusal{why: "a query that is none", request: c.request, status: 400}
		broken.query = name + "=%zz"
		refusals = append(refusals, twice, broken)
	}
	return refusals
}

// parsed is what a parameter's text says.
func parsed(schema object, text string) any {
	if kind(schema) == "integer" || kind(schema) == "boolean" {
		var value any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&value) == nil {
			return value
		}
	}
	return text
}

func with(header map[string]string, name, value string) map[string]string {
	header = maps.Clone(header)
	header[name] = value
	return header
}

// badManners returns the refusals of what is wrong with any request of an operation, whatever it is about.
func (a *api) badManners(c call) []refusal {
	var refusals []refusal
	add := func(why string, status int, change func(*request)) {
		r := refusal{why: why, request: c.request, status: status}
		change(&r.request)
		refusals = append(refusals, r)
	}
	header := func(name, value string) func(*request) {
		return func(r *request) { r.header = with(r.header, name, value) }
	}
	if !c.op.public {
		add("no credentials", 401, header("Authorization", ""))
		add("another scheme", 401, header("Authorization", "Basic "+a.tokens[a.role]))
		for role, token := range a.tokens {
			if !slices.Contains(c.op.roles, role) {
				add("the role "+role, 403, header("Authorization", "Bearer "+token))
			}
		}
	}
	add("Accept", 406, header("Accept", "text/csv"))
	if c.op.body != "" {
		add("Content-Type", 415, header("Content-Type", "text/csv"))
		add("Content-Encoding", 415, header("Content-Encoding", "gzip"))
	}
	for _, p := range c.op.parameters {
		switch {
		case p.name == "If-Match":
			add("If-Match", 412, header("If-Match", `"stale"`))
		case p.in == "path":
			add("unknown "+p.name, 404, func(r *request) { r.path = fill(c.op.path, with(c.path, p.name, uuid.NewString())) })
		}
	}
	for _, method := range []string{"GET", "PUT", "POST", "PATCH", "DELETE", "BREW"} {
		if !slices.Contains(c.op.methods, method) {
			add(method, 405, func(r *request) { r.method = method })
		}
	}
	return refusals
}
