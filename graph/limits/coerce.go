package limits

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// MutateOperationContext implements [graphql.OperationContextMutator]. It
// validates the variables again after gqlparser, which accepts the string "5" for
// an Int, a number for a String, an enum value in any case, and any number of
// fields of a @oneOf input. Then it limits the complexity of the operation with
// these variables.
func (g *Guard) MutateOperationContext(ctx context.Context, opCtx *graphql.OperationContext) *gqlerror.Error {
	for _, def := range opCtx.Operation.VariableDefinitions {
		path := ast.Path{ast.PathName("variable"), ast.PathName(def.Variable)}
		if err := g.check(def.Type, opCtx.Variables[def.Variable], path); err != nil {
			return err
		}
	}
	if err := g.checkCost(ctx, opCtx); err != nil {
		return err
	}
	g.keep(ctx, opCtx)
	return nil
}

// check validates v as a value of typ. gqlparser has already refused missing
// values, nulls and unknown fields.
func (g *Guard) check(typ *ast.Type, v any, path ast.Path) *gqlerror.Error {
	if v == nil {
		return nil
	}
	if typ.Elem != nil {
		for i, element := range graphql.CoerceList(v) {
			if err := g.check(typ.Elem, element, with(path, ast.PathIndex(i))); err != nil {
				return err
			}
		}
		return nil
	}
	def := g.schema.Types[typ.NamedType]
	if def == nil {
		return badInput(path, "This type does not exist.")
	}
	switch def.Kind {
	case ast.Enum:
		name, ok := v.(string)
		if !ok || def.EnumValues.ForName(name) == nil && !slices.Contains(g.limits.OpenEnums, def.Name) {
			return badInput(path, "This is not a value of %s.", def.Name)
		}
	case ast.InputObject:
		return g.checkObject(def, v, path)
	default:
		if !isScalar(def.Name, v) {
			return badInput(path, "This is not a valid %s.", def.Name)
		}
	}
	return nil
}

func (g *Guard) checkObject(def *ast.Definition, v any, path ast.Path) *gqlerror.Error {
	fields, ok := v.(map[string]any)
	if !ok {
		return badInput(path, "This is not a valid %s.", def.Name)
	}
	if def.Directives.ForName("oneOf") != nil {
		if len(fields) != 1 {
			return badInput(path, "%s must have exactly one field.", def.Name)
		}
		for _, only := range fields {
			if only == nil {
				return badInput(path, "The field of %s must not be null.", def.Name)
			}
		}
	}
	for name, value := range fields {
		field := def.Fields.ForName(name)
		if field == nil {
			return badInput(path, "%s has no such field.", def.Name)
		}
		if err := g.check(field.Type, value, with(path, ast.PathName(name))); err != nil {
			return err
		}
	}
	return nil
}

// isScalar reports whether v is a value of the built-in scalar with this name.
// Custom scalars are validated when they are unmarshaled.
func isScalar(name string, v any) bool {
	switch name {
	case "Int":
		n, ok := integer(v)
		return ok && n >= math.MinInt32 && n <= math.MaxInt32
	case "Float":
		return isFinite(v)
	case "String":
		_, ok := v.(string)
		return ok
	case "Boolean":
		_, ok := v.(bool)
		return ok
	case "ID":
		_, isString := v.(string)
		_, isInteger := integer(v)
		return isString || isInteger
	}
	return true
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		return n, err == nil
	}
	return 0, false
}

func isFinite(v any) bool {
	switch v := v.(type) {
	case int64, float64:
		return true
	case json.Number:
		_, err := v.Float64()
		return err == nil
	}
	return false
}

// with returns a copy of path with element: siblings share path.
func with(path ast.Path, element ast.PathElement) ast.Path {
	return append(slices.Clip(path), element)
}
