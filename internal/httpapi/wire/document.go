package wire

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Complete makes the document of an API, all of whose operations are registered, one that other programs
// take: without schemas that nothing leads to (PATCH alone leaves those behind that it is made from), and
// with the meaning of a pattern in its description, since huma's patternDescription is no word of OpenAPI.
func Complete(api huma.API) {
	o := api.OpenAPI()
	seen := map[*huma.Schema]bool{}
	for _, s := range roots(o) {
		walk(o.Components.Schemas, s, seen, describePattern)
	}
	maps.DeleteFunc(o.Components.Schemas.Map(), func(_ string, s *huma.Schema) bool { return !seen[s] })
}

// roots returns the schemas that the operations name.
func roots(o *huma.OpenAPI) (schemas []*huma.Schema) {
	contents := []map[string]*huma.MediaType{}
	for _, response := range o.Components.Responses {
		contents = append(contents, response.Content)
	}
	for _, path := range o.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Patch, path.Delete} {
			if op == nil {
				continue
			}
			for _, parameter := range op.Parameters {
				schemas = append(schemas, parameter.Schema)
			}
			if op.RequestBody != nil {
				contents = append(contents, op.RequestBody.Content)
			}
			for _, response := range op.Responses {
				contents = append(contents, response.Content)
			}
		}
	}
	for _, content := range contents {
		for _, body := range content {
			schemas = append(schemas, body.Schema)
		}
	}
	return schemas
}

func describePattern(s *huma.Schema) {
	if text := s.PatternDescription; text != "" {
		s.Description = strings.TrimSpace(s.Description + " " + strings.ToUpper(text[:1]) + text[1:] + ".")
		s.PatternDescription = ""
	}
}

// document completes an operation's entry: what every operation answers on failure, and what its
// methods and bodies take beyond what its Go types can say.
func document(o *huma.OpenAPI, op *huma.Operation) {
	op.Responses["default"] = &huma.Response{Ref: "#/components/responses/Problem"}
	if op.RequestBody != nil {
		if body := op.RequestBody.Content[jsonType]; body != nil {
			visit := optionalTakesNull
			if op.Method == http.MethodPatch {
				visit = enumHoldsNull // Patch says itself what takes null
				op.RequestBody.Content[mergePatchType] = body
			}
			walk(o.Components.Schemas, body.Schema, map[*huma.Schema]bool{}, visit)
		}
	}
	for _, response := range op.Responses {
		if body := response.Content[jsonType]; body != nil {
			walk(o.Components.Schemas, body.Schema, map[*huma.Schema]bool{}, enumHoldsNull)
		}
		for _, header := range response.Headers { // where readers look for it, and huma leaves nothing
			header.Description, header.Schema.Description = cmp.Or(header.Description, header.Schema.Description), ""
		}
	}
	ok := op.Responses["200"]
	if op.Method == http.MethodGet && ok != nil && ok.Headers["ETag"] != nil {
		op.Responses["304"] = &huma.Response{Description: "Not Modified"}
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Entity tags that the client has; if one is current, the answer is 304 without a body.",
		})
	}
}

// walk calls visit for every schema that s leads to.
func walk(r huma.Registry, s *huma.Schema, seen map[*huma.Schema]bool, visit func(*huma.Schema)) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	if s.Ref != "" {
		walk(r, r.SchemaFromRef(s.Ref), seen, visit)
		return
	}
	visit(s)
	walk(r, s.Items, seen, visit)
	for _, form := range slices.Concat(s.OneOf, s.AnyOf, s.AllOf) {
		walk(r, form, seen, visit)
	}
	for _, property := range s.Properties {
		walk(r, property, seen, visit)
	}
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		walk(r, more, seen, visit)
	}
}

// optionalTakesNull documents what huma does with bodies: null in an optional property is the same as
// leaving it out. (References stay as they are: clients choke on a nullable one.)
func optionalTakesNull(s *huma.Schema) {
	for name, property := range s.Properties {
		if property.Type != "" && !slices.Contains(s.Required, name) {
			property.Nullable = true
		}
	}
	enumHoldsNull(s)
}

// enumHoldsNull adds null to the values of nullable properties: JSON Schema asks for both.
func enumHoldsNull(s *huma.Schema) {
	for _, property := range s.Properties {
		if property.Nullable && len(property.Enum) > 0 && !slices.Contains(property.Enum, nil) {
			property.Enum = append(property.Enum, nil)
		}
	}
}
