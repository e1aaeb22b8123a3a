package systemapi

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// optionalBool is a query parameter that may be missing; huma knows no pointers there.
type optionalBool struct {
	Value bool
	isSet bool
}

// Schema documents the parameter as what it holds.
func (*optionalBool) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeBoolean} }

// Receiver is where huma puts the value.
func (o *optionalBool) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet is how huma says whether there is a value.
func (o *optionalBool) OnParamSet(isSet bool, _ any) { o.isSet = isSet }

func (o *optionalBool) pointer() *bool {
	if !o.isSet {
		return nil
	}
	return &o.Value
}
