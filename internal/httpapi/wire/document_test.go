package wire_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// at walks through decoded JSON.
func at(t *testing.T, v any, keys ...string) any {
	t.Helper()
	for _, key := range keys {
		object, ok := v.(map[string]any)
		if !ok || object[key] == nil {
			t.Fatalf("no %q on the way %v", key, keys)
		}
		v = object[key]
	}
	return v
}

func TestDocument(t *testing.T) {
	t.Parallel()
	server, _, _ := serve(t)
	response := exchange(t, server, "GET", "/openapi.json", "", "")
	body := response.body
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["openapi"] != "3.1.0" || response.header.Get("Content-Type") != "application/json" {
		t.Errorf("openapi %v as %s", doc["openapi"], response.header.Get("Content-Type"))
	}
	names := strings.Join(keys(at(t, doc, "components", "schemas").(map[string]any)), " ")
	if names != "AddressInput AddressPatch Problem ProblemField Student StudentInput StudentPage StudentPatch" {
		t.Errorf("schemas: %s", names)
	}
	const student = "/api/students/{id}/"
	for want, way := range map[string][]string{
		`[{"bearer":[]}]`: {"security"},
		`[]`:              {"paths", student, "get", "security"},
		`{"$ref":"#/components/responses/Problem"}`:    {"paths", student, "get", "responses", "default"},
		`{"$ref":"#/components/schemas/Problem"}`:      {"components", "responses", "Problem", "content", "application/problem+json", "schema"},
		`{"description":"Not Modified"}`:               {"paths", student, "get", "responses", "304"},
		`{"$ref":"#/components/schemas/StudentPatch"}`: {"paths", student, "patch", "requestBody", "content", "application/merge-patch+json", "schema"},
		`{"$ref":"#/components/schemas/StudentPage"}`:  {"paths", "/api/students/", "get", "responses", "200", "content", "application/json", "schema"},
		`["string","null"]`:                            {"components", "schemas", "StudentInput", "properties", "email", "type"},
		`"string"`:                                     {"components", "schemas", "StudentPatch", "properties", "name", "type"},
		`["array","null"]`:                             {"components", "schemas", "StudentPatch", "properties", "tags", "type"},
		`["female","male","other",null]`:               {"components", "schemas", "Student", "properties", "gender", "enum"},
		`"array"`:                                      {"components", "schemas", "StudentPage", "properties", "items", "type"},
		`["items","next_cursor"]`:                      {"components", "schemas", "StudentPage", "required"},
		`"date"`:                                       {"components", "schemas", "Student", "properties", "born", "format"},
		`false`:                                        {"components", "schemas", "StudentPatch", "additionalProperties"},
		`"http"`:                                       {"components", "securitySchemes", "bearer", "type"},
		`"The path of the new resource."`:              {"paths", "/api/students/", "post", "responses", "201", "headers", "Location", "description"},
		`"Apache-2.0"`:                                 {"info", "license", "identifier"},
		`"A date from 1900-01-01 to 2200-12-31."`:      {"components", "schemas", "Student", "properties", "born", "description"},
	} {
		if got, _ := json.Marshal(at(t, doc, way...)); string(got) != want {
			t.Errorf("%v: %s, want %s", way, got, want)
		}
	}
	patch := at(t, doc, "components", "schemas", "StudentPatch").(map[string]any)
	if strings.Contains(body, "patternDescription") {
		t.Error("patternDescription is huma's alone")
	}
	if patch["required"] != nil || strings.Contains(body, "$schema") || strings.Contains(body, `"default":"north"},"name"`) {
		t.Errorf("the patch requires %v", patch["required"])
	}
	if house := at(t, patch, "properties", "house").(map[string]any); house["default"] != nil {
		t.Errorf("a patch has no defaults: %v", house)
	}
	if yaml := exchange(t, server, "GET", "/openapi.yaml", "", ""); !strings.Contains(yaml.body, "openapi: 3.1.0") {
		t.Error("no YAML")
	}
	tagged := "If-None-Match: " + response.header.Get("ETag")
	if again := exchange(t, server, "GET", "/openapi.json", tagged, ""); again.status != http.StatusNotModified {
		t.Errorf("status %d", again.status)
	}
}

// TestCodes holds that the document's codes are the kinds of internal/fault, all of them and no others.
func TestCodes(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../fault/fault.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Kind" {
				kinds = append(kinds, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
			}
		}
		return true
	})
	slices.Sort(kinds)
	server, _, _ := serve(t)
	var doc map[string]any
	if err := json.Unmarshal([]byte(exchange(t, server, "GET", "/openapi.json", "", "").body), &doc); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, code := range at(t, doc, "components", "schemas", "Problem", "properties", "code", "enum").([]any) {
		codes = append(codes, code.(string))
	}
	if len(kinds) < 17 || !slices.Equal(codes, kinds) {
		t.Errorf("codes %v, kinds %v", codes, kinds)
	}
}

func keys(m map[string]any) []string {
	return slices.Sorted(maps.Keys(m))
}

// TestDocsStayHome follows what the page loads: all of it must be there, and nothing from elsewhere.
func TestDocsStayHome(t *testing.T) {
	t.Parallel()
	server, _, _ := serve(t)
	page := exchange(t, server, "GET", "/docs", "", "").body
	assets := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(assets) < 5 {
		t.Fatalf("the page loads too little: %s", page)
	}
	for _, asset := range assets {
		if !strings.HasPrefix(asset[1], "/") || strings.HasPrefix(asset[1], "//") {
			t.Errorf("%s is elsewhere", asset[1])
			continue
		}
		for _, encoding := range []string{"identity", "gzip"} {
			response := exchange(t, server, "GET", asset[1], "Accept-Encoding: "+encoding, "")
			if response.status != http.StatusOK || response.body == "" {
				t.Errorf("%s: %d", asset[1], response.status)
			}
			if regexp.MustCompile(`url\(["']?(https?:)?//|@import`).MatchString(response.body) && strings.HasSuffix(asset[1], ".css") {
				t.Errorf("%s loads from elsewhere", asset[1])
			}
			policy := response.header.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "http") {
				t.Errorf("%s: policy %q", asset[1], policy)
			}
		}
	}
	if strings.Contains(page, "<script>") {
		t.Error("the policy forbids inline scripts")
	}
}
