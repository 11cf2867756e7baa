package graph

import (
	"reflect"
	"slices"
	"strings"

	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// A validator reports whether a decoded input value has everything that the
// schema requires. A required text that is empty counts as missing.
type validator func(reflect.Value) bool

// validatorOf returns the validator of a generated input type, or of a part of
// one; nil when every value is valid. Input types must not be recursive.
func validatorOf(t reflect.Type) validator {
	switch {
	case t == reflect.TypeFor[model.ReportTime]():
		return nil
	case t == reflect.TypeFor[gen.PortalEventPayload]():
		return both(oneOf, structValidator(t))
	}
	switch t.Kind() {
	case reflect.Pointer:
		if elem := validatorOf(t.Elem()); elem != nil {
			return func(v reflect.Value) bool { return v.IsNil() || elem(v.Elem()) }
		}
	case reflect.Slice:
		return listValidator(validatorOf(t.Elem()))
	case reflect.Struct:
		return structValidator(t)
	}
	return nil
}

func both(a, b validator) validator {
	return func(v reflect.Value) bool { return a(v) && b(v) }
}

// oneOf accepts an input of which exactly one field is set.
func oneOf(v reflect.Value) bool {
	set := 0
	for _, field := range v.Fields() {
		if !field.IsNil() {
			set++
		}
	}
	return set == 1
}

// listValidator accepts lists without nulls whose elements are valid.
func listValidator(elem validator) validator {
	return func(v reflect.Value) bool {
		for i := range v.Len() {
			if e := v.Index(i); e.IsNil() || !elem(e) {
				return false
			}
		}
		return true
	}
}

// structValidator accepts inputs whose required fields are set and whose fields
// are valid. gqlgen marks the fields that may be left out with omitempty.
func structValidator(t reflect.Type) validator {
	var required []int
	fields := make([]validator, t.NumField())
	for i := range t.NumField() {
		field := t.Field(i)
		if !strings.HasSuffix(field.Tag.Get("json"), ",omitempty") {
			required = append(required, i)
		}
		fields[i] = validatorOf(field.Type)
	}
	return func(v reflect.Value) bool {
		if slices.ContainsFunc(required, func(i int) bool { return v.Field(i).IsZero() }) {
			return false
		}
		for i, check := range fields {
			if check != nil && !check(v.Field(i)) {
				return false
			}
		}
		return true
	}
}
