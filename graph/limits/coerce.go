package limits

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// MutateOperationContext implements [graphql.OperationContextMutator]. It
// validates the variables again after gqlparser, which accepts the string "5" for
// an Int, a number for a String, an enum value in any case, and any number of
// fields of a @oneOf input. Then it limits the complexity of the operation with
// these variables.
func (g *Guard) MutateOperationContext(ctx context.Context, opCtx *graphql.OperationContext) *gqlerror.Error {
	if err := g.checkVariables(opCtx.Operation, opCtx.Variables); err != nil {
		return err
	}
	if err := g.checkCost(ctx, opCtx); err != nil {
		return err
	}
	g.keep(ctx, opCtx)
	return nil
}

// checkVariables validates the values of the operation's variables.
func (g *Guard) checkVariables(op *ast.OperationDefinition, values map[string]any) *gqlerror.Error {
	for _, def := range op.VariableDefinitions {
		path := ast.Path{ast.PathName(def.Variable)}
		v, given := values[def.Variable]
		switch {
		case !given && def.Type.NonNull && def.DefaultValue == nil:
			return badInput(path, "The variable $%s is required: it is of type %s.", def.Variable, def.Type)
		case given && v == nil && def.Type.NonNull:
			return badInput(path, "The variable $%s must not be null: it is of type %s.", def.Variable, def.Type)
		}
		if err := g.check(def.Type, v, path); err != nil {
			return err
		}
	}
	return nil
}

// check validates v as a value of typ, or null.
func (g *Guard) check(typ *ast.Type, v any, path ast.Path) *gqlerror.Error {
	if v == nil {
		return nil
	}
	if typ.Elem != nil {
		for i, element := range graphql.CoerceList(v) {
			at := with(path, ast.PathIndex(i))
			if element == nil && typ.Elem.NonNull {
				return badInput(at, "An element of %s must not be null.", typ)
			}
			if err := g.check(typ.Elem, element, at); err != nil {
				return err
			}
		}
		return nil
	}
	def := g.schema.Types[typ.NamedType]
	if def == nil {
		return badInput(path, "The type %s does not exist.", typ.NamedType)
	}
	switch def.Kind {
	case ast.Enum:
		return g.checkEnum(def, v, path)
	case ast.InputObject:
		return g.checkObject(def, v, path)
	default:
		if !isScalar(def.Name, v) {
			return badInput(path, "This is not %s.", scalars[def.Name])
		}
	}
	return nil
}

func (g *Guard) checkEnum(def *ast.Definition, v any, path ast.Path) *gqlerror.Error {
	name, ok := v.(string)
	if ok && (def.EnumValues.ForName(name) != nil || slices.Contains(g.limits.OpenEnums, def.Name)) {
		return nil
	}
	values := make([]string, len(def.EnumValues))
	for i, value := range def.EnumValues {
		values[i] = value.Name
	}
	if !ok {
		return badInput(path, "This is not a value of %s, which are %s.", def.Name, listed(values))
	}
	return badInput(path, "%q is not a value of %s, which are %s.", name, def.Name, listed(values))
}

func (g *Guard) checkObject(def *ast.Definition, v any, path ast.Path) *gqlerror.Error {
	fields, ok := v.(map[string]any)
	if !ok {
		return badInput(path, "This is not an object with the fields of %s.", def.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if def.Fields.ForName(name) == nil {
			return unknownField(def, name, with(path, ast.PathName(name)))
		}
	}
	if def.Directives.ForName("oneOf") != nil {
		if err := checkOneOf(def, fields, path); err != nil {
			return err
		}
	}
	for _, field := range def.Fields {
		value, given := fields[field.Name]
		at := with(path, ast.PathName(field.Name))
		switch {
		case !given && field.Type.NonNull && field.DefaultValue == nil:
			return badInput(at, "%s.%s is required: it is of type %s.", def.Name, field.Name, field.Type)
		case given && value == nil && field.Type.NonNull:
			return badInput(at, "%s.%s must not be null: it is of type %s.", def.Name, field.Name, field.Type)
		}
		if err := g.check(field.Type, value, at); err != nil {
			return err
		}
	}
	return nil
}

func checkOneOf(def *ast.Definition, fields map[string]any, path ast.Path) *gqlerror.Error {
	if len(fields) != 1 {
		return badInput(path, "%s has %d fields. Set exactly one of %s.",
			def.Name, len(fields), listed(namesOf(def.Fields)))
	}
	for name, only := range fields {
		if only == nil {
			return badInput(with(path, ast.PathName(name)), "The only field of %s must not be null.", def.Name)
		}
	}
	return nil
}

// unknownField says which fields there are, or which one was meant.
func unknownField(def *ast.Definition, name string, path ast.Path) *gqlerror.Error {
	err := badInput(path, "%s has no field %q.", def.Name, name)
	if nearest := core.SuggestionList(name, namesOf(def.Fields)); len(nearest) > 0 {
		err.Message += " Did you mean " + nearest[0] + "?"
	} else {
		err.Message += " Its fields are " + listed(namesOf(def.Fields)) + "."
	}
	return err
}

func namesOf(fields ast.FieldList) []string {
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	return names
}

// listed returns names as a sentence lists them.
func listed(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// scalars says what the values of the built-in scalars are.
var scalars = map[string]string{
	"Int":     "an Int: a whole number of at most 32 bits, such as 25",
	"Float":   "a Float: a finite number, such as 2.5",
	"String":  `a String, such as "text"`,
	"Boolean": "a Boolean: true or false",
	"ID":      `an ID: text such as "wh_…"`,
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
