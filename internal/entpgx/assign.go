package entpgx

import (
	"database/sql"
	"errors"
	"reflect"
)

var errNotAssigned = errors.New("entpgx: this value can't be put there")

// assign puts a value of database/sql into to, as that does. It has no exported way to do so but the
// Scan of its Null types.
func assign(to reflect.Value, value any) error {
	switch kind := to.Kind(); {
	case kind == reflect.Interface && to.NumMethod() == 0:
		if value == nil {
			to.SetZero()
			return nil
		}
		to.Set(reflect.ValueOf(value))
		return nil
	case kind == reflect.Pointer && value == nil:
		to.SetZero()
		return nil
	case kind == reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		if scanner, ok := to.Interface().(sql.Scanner); ok {
			return scanner.Scan(value)
		}
		return assign(to.Elem(), value)
	case kind == reflect.Slice && value == nil:
		to.SetZero()
		return nil
	case value == nil:
		return errNotAssigned
	}
	if from := reflect.ValueOf(value); from.Type().AssignableTo(to.Type()) {
		to.Set(from)
		return nil
	}
	return convert(to, value)
}

// convert puts a value into a basic type that is not its own.
func convert(to reflect.Value, value any) error {
	switch kind := to.Kind(); {
	case kind == reflect.String:
		return set(value, to.SetString)
	case kind == reflect.Bool:
		return set(value, to.SetBool)
	case to.CanInt():
		return within64(value, to.OverflowInt, to.SetInt)
	case to.CanUint():
		return within64(value, to.OverflowUint, to.SetUint)
	case to.CanFloat():
		return within64(value, to.OverflowFloat, to.SetFloat)
	case kind == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		return set(value, to.SetBytes)
	}
	return errNotAssigned
}

func set[T any](value any, put func(T)) error {
	var read sql.Null[T]
	if err := read.Scan(value); err != nil {
		return err
	}
	put(read.V)
	return nil
}

// within64 refuses what the destination's own width can't hold.
func within64[T int64 | uint64 | float64](value any, overflows func(T) bool, put func(T)) error {
	var read sql.Null[T]
	if err := read.Scan(value); err != nil {
		return err
	}
	if overflows(read.V) {
		return errNotAssigned
	}
	put(read.V)
	return nil
}
