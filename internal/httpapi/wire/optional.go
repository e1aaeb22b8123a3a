package wire

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// OptionalBool is a query parameter that may be missing; huma knows no pointers there.
type OptionalBool struct {
	Value bool
	isSet bool
}

// Schema documents the parameter as what it holds.
func (*OptionalBool) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeBoolean} }

// Receiver is where huma puts the value.
func (o *OptionalBool) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet is how huma says whether there is a value.
func (o *OptionalBool) OnParamSet(isSet bool, _ any) { o.isSet = isSet }

// Pointer returns the value, nil if it is missing.
func (o *OptionalBool) Pointer() *bool {
	if !o.isSet {
		return nil
	}
	return &o.Value
}
