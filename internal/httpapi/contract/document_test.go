package contract_test

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is an OpenAPI document as the service serves it.
type document struct {
	root       any
	compiler   *jsonschema.Compiler
	operations []*operation
}

// pointer is a place in a document (RFC 6901, as a fragment).
type pointer string

func (p pointer) to(names ...string) pointer {
	for _, name := range names {
		p += pointer("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return p
}

// operation is what a document says of one operation.
type operation struct {
	id, method, path string
	public           bool
	roles            []string
	parameters       []parameter
	body             pointer            // the schema of the JSON that it takes, if any
	responses        map[string]pointer // by status
	methods          []string           // all of its path
}

// parameter is one of the path, the query or the head.
type parameter struct {
	name, in string
	schema   pointer
	example  any
}

const documentURL = "urn:homeroom:document"

func (s *service) document(t *testing.T, host string) *document {
	t.Helper()
	served := s.send(t, host, request{method: "GET", path: "/openapi.json"})
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(served.text))
	must(t, err)
	d := &document{root: root, compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	must(t, d.compiler.AddResource(documentURL, root))
	paths := d.object("#/paths")
	for path, item := range paths {
		var methods []string
		for method := range item.(object) {
			methods = append(methods, strings.ToUpper(method))
		}
		for _, method := range methods {
			op := d.operation(method, path)
			if op.methods = methods; slices.Contains(methods, http.MethodGet) {
				op.methods = append(slices.Clone(methods), http.MethodHead)
			}
			slices.Sort(op.methods)
			d.operations = append(d.operations, op)
		}
	}
	slices.SortFunc(d.operations, func(a, b *operation) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method)) })
	if len(d.operations) == 0 {
		t.Fatal("the document has no operations")
	}
	return d
}

func (d *document) operation(method, path string) *operation {
	at := pointer("#/paths").to(path, strings.ToLower(method))
	of := d.object(at)
	op := &operation{id: of["operationId"].(string), method: method, path: path, responses: map[string]pointer{}}
	security, given := of["security"].([]any)
	op.public = given && len(security) == 0
	roles, _ := of["x-roles"].([]any)
	for _, role := range roles {
		op.roles = append(op.roles, role.(string))
	}
	parameters, _ := of["parameters"].([]any)
	for i, p := range parameters {
		p := p.(object)
		op.parameters = append(op.parameters, parameter{p["name"].(string), p["in"].(string), at.to("parameters", strconv.Itoa(i), "schema"), p["example"]})
	}
	if of["requestBody"] != nil {
		op.body = at.to("requestBody", "content", "application/json", "schema")
	}
	for status := range of["responses"].(object) {
		op.responses[status], _ = d.follow(at.to("responses", status))
	}
	return op
}

// object returns the object at a place.
func (d *document) object(at pointer) object {
	_, o := d.follow(at)
	return o
}

// follow returns the object that a place holds or refers to, and where that is.
func (d *document) follow(at pointer) (pointer, object) {
	o := d.raw(at)
	if ref, is := o["$ref"].(string); is {
		return d.follow(pointer(ref))
	}
	return at, o
}

// raw returns the object that a place holds, which may be a reference.
func (d *document) raw(at pointer) object {
	value := d.root
	for name := range strings.SplitSeq(strings.TrimPrefix(string(at), "#/"), "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch in := value.(type) {
		case object:
			value = in[name]
		case []any:
			i, _ := strconv.Atoi(name)
			value = in[i]
		}
	}
	o, _ := value.(object)
	return o
}

// check says what is wrong with a value by a schema of the document.
func (d *document) check(t *testing.T, schema pointer, value any) error {
	t.Helper()
	compiled, err := d.compiler.Compile(documentURL + string(schema))
	must(t, err)
	return compiled.Validate(value)
}

// response returns where the document says what is answered with a status; "" if it does not.
func (o *operation) response(status int) pointer {
	if at, said := o.responses[strconv.Itoa(status)]; said || status < http.StatusBadRequest {
		return at
	}
	return o.responses["default"]
}

// parametersIn returns the parameters of one kind.
func (o *operation) parametersIn(in string) []parameter {
	return slices.DeleteFunc(slices.Clone(o.parameters), func(p parameter) bool { return p.in != in })
}
