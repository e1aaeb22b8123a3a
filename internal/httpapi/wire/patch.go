package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/homeroom-sms/homeroom/internal/fault"
)

// Patch is the body of a PATCH of a resource whose POST or PUT takes a T: a JSON merge patch (RFC 7396).
// The document calls it by T's name without Input, and Patch: all of T's properties, none required.
type Patch[T any] struct{ document []byte }

// UnmarshalJSON keeps the patch for Apply.
func (p *Patch[T]) UnmarshalJSON(data []byte) error {
	p.document = bytes.Clone(data)
	return nil
}

// Schema puts the patch's schema, made from T's, into the document.
func (Patch[T]) Schema(r huma.Registry) *huma.Schema {
	full := r.Schema(reflect.TypeFor[T](), true, "")
	if full.Ref == "" {
		panic("wire: Patch needs a struct, not " + reflect.TypeFor[T]().String())
	}
	return &huma.Schema{Ref: patchRef(r, full.Ref)}
}

// patchRef returns the reference of the patch of the object that ref refers to. Objects within are
// patched in their turn; arrays are replaced. A required property can be given anew but not taken away,
// so it takes null only if it does so in T.
func patchRef(r huma.Registry, ref string) string {
	patched := strings.TrimSuffix(ref, "Input") + "Patch"
	name := strings.TrimPrefix(patched, schemaPrefix)
	if r.Map()[name] != nil {
		return patched
	}
	full := r.SchemaFromRef(ref)
	patch := &huma.Schema{
		Type:                 huma.TypeObject,
		Description:          "A JSON merge patch (RFC 7396): what is left out stays as it is, null takes away.",
		Properties:           map[string]*huma.Schema{},
		AdditionalProperties: full.AdditionalProperties,
	}
	r.Map()[name] = patch // before the properties: types may hold themselves
	for key, property := range full.Properties {
		s := *property
		s.Default = nil // what is left out stays
		switch {
		case isObject(r, &s):
			s.Ref = patchRef(r, s.Ref)
		case s.Type != "":
			s.Nullable = s.Nullable || !slices.Contains(full.Required, key)
		}
		patch.Properties[key] = &s
	}
	patch.PrecomputeMessages()
	return patched
}

func isObject(r huma.Registry, s *huma.Schema) bool {
	return s.Ref != "" && r.SchemaFromRef(s.Ref).Type == huma.TypeObject
}

// Apply returns current with the patch applied. The whole must be a valid T again, so that what holds
// between properties still holds; else it returns an InvalidInput fault that says where. A property
// that the patch takes away gets T's default, or is absent; taking away a required one is refused.
func (p Patch[T]) Apply(current T) (T, error) {
	var zero, patched T
	target := targetOf(reflect.TypeFor[T]())
	before, err := json.Marshal(current)
	if err != nil {
		return zero, fault.Of(err)
	}
	changes, err := decodeObject(p.document)
	if err != nil {
		return zero, fault.Invalid("body", "expected object")
	}
	whole, err := decodeObject(before)
	if err != nil {
		return zero, fault.Of(err)
	}
	target.merge(target.schema, whole, changes)
	after, err := json.Marshal(whole)
	if err != nil {
		return zero, fault.Of(err)
	}
	if err := target.validate(after); err != nil {
		return zero, err
	}
	if err := unmarshal(after, &patched); err != nil {
		return zero, faultFrom(422, "validation failed", []error{&huma.ErrorDetail{Location: "body", Message: err.Error()}})
	}
	return patched, nil
}

// decodeObject keeps numbers as they are written: a float64 would round large ones.
func decodeObject(data []byte) (object map[string]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err = decoder.Decode(&object); err == nil && object == nil {
		err = errNoObject
	}
	return object, err
}

var errNoObject = errors.New("not an object")

// patchTarget is the schema that a patched resource must fit.
type patchTarget struct {
	registry huma.Registry
	schema   *huma.Schema
}

var patchTargets sync.Map // reflect.Type -> *patchTarget; a pure function of the type

func targetOf(t reflect.Type) *patchTarget {
	if known, ok := patchTargets.Load(t); ok {
		return known.(*patchTarget)
	}
	setup()
	registry := huma.NewMapRegistry(schemaPrefix, schemaName)
	target := &patchTarget{registry, registry.Schema(t, false, "")}
	known, _ := patchTargets.LoadOrStore(t, target)
	return known.(*patchTarget)
}

// merge is MergePatch of RFC 7396 §2, save that null sets a property that is required but may be null,
// and brings back the default of one that has a default.
func (p *patchTarget) merge(schema *huma.Schema, whole, changes map[string]any) {
	for key, change := range changes {
		property := &huma.Schema{}
		if schema != nil && schema.Properties[key] != nil {
			property = schema.Properties[key]
		}
		switch change := change.(type) {
		case nil:
			delete(whole, key)
			if property.Default != nil {
				whole[key] = property.Default
			} else if property.Nullable && slices.Contains(schema.Required, key) {
				whole[key] = nil
			}
		case map[string]any:
			inner, ok := whole[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
			}
			if property.Ref != "" {
				property = p.registry.SchemaFromRef(property.Ref)
			}
			p.merge(property, inner, change)
			whole[key] = inner
		default:
			whole[key] = change
		}
	}
}

func (p *patchTarget) validate(document []byte) error {
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		return fault.Invalid("body", "holds a number that is too large")
	}
	at, result := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	at.Push("body")
	huma.Validate(p.registry, p.schema, at, huma.ModeWriteToServer, value, result)
	if len(result.Errors) > 0 {
		return faultFrom(422, "validation failed", result.Errors)
	}
	return nil
}
