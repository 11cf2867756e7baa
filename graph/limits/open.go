package limits

import (
	"maps"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// Executable returns the schema for the executor. In it the enumerations of
// [Limits.OpenEnums] are scalars, so that gqlparser does not refuse a whole
// request for a value that a resolver is going to judge. Clients see the schema
// as it is written.
func (g *Guard) Executable() graphql.ExecutableSchema { return openSchema{g.executable, g.open} }

// An openSchema is an executable schema that is validated with another schema.
type openSchema struct {
	graphql.ExecutableSchema

	schema *ast.Schema
}

func (s openSchema) Schema() *ast.Schema { return s.schema }

// opened returns a copy of schema in which the enumerations are scalars.
func opened(schema *ast.Schema, enums []string) *ast.Schema {
	open := *schema
	open.Types = maps.Clone(schema.Types)
	for _, name := range enums {
		scalar := *schema.Types[name]
		scalar.Kind, scalar.EnumValues = ast.Scalar, nil
		open.Types[name] = &scalar
	}
	return &open
}

// enumLiterals is a validation rule: in the text of a query, a value of an open
// enumeration is written as a name, not as a string or a number.
func (g *Guard) enumLiterals(observers *core.Events, addError core.AddErrFunc) {
	observers.OnValue(func(_ *core.Walker, v *ast.Value) {
		if v.Definition == nil || v.ExpectedType == nil || !slices.Contains(g.limits.OpenEnums, v.Definition.Name) {
			return
		}
		named := v.Kind == ast.EnumValue || v.Kind == ast.NullValue || v.Kind == ast.Variable
		if list := v.Kind == ast.ListValue && v.ExpectedType.Elem != nil; !named && !list {
			addError(core.Message(`Enum "%s" cannot represent non-enum value: %s.`, v.Definition.Name, v.String()),
				core.At(v.Position))
		}
	})
}
