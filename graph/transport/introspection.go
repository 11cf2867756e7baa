package transport

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	gqlintrospection "github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// introspection is the extension that allows introspection for some callers. The
// executor itself would refuse the others with an error without a code.
type introspection struct {
	allowed func(context.Context) bool
}

func (introspection) ExtensionName() string { return "Introspection" }

func (introspection) Validate(graphql.ExecutableSchema) error { return nil }

func (i introspection) MutateOperationContext(
	ctx context.Context, opCtx *graphql.OperationContext,
) *gqlerror.Error {
	opCtx.DisableIntrospection = !i.allowed(ctx)
	if opCtx.DisableIntrospection && introspects(opCtx.Operation.SelectionSet, map[string]bool{}) {
		return coded(CodeForbidden, "Introspection requires authentication.")
	}
	return nil
}

// kindsWith has the kinds of types that have a list; it is null for all others.
// The executor's is empty instead.
var kindsWith = map[string][]string{
	"fields":        {"OBJECT", "INTERFACE"},
	"interfaces":    {"OBJECT", "INTERFACE"},
	"possibleTypes": {"INTERFACE", "UNION"},
	"enumValues":    {"ENUM"},
	"inputFields":   {"INPUT_OBJECT"},
}

// InterceptField implements [graphql.FieldInterceptor].
func (introspection) InterceptField(ctx context.Context, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if field.Object != "__Type" {
		return next(ctx)
	}
	if kinds, ok := kindsWith[field.Field.Name]; ok {
		if t, ok := field.Parent.Result.(*gqlintrospection.Type); ok && !slices.Contains(kinds, t.Kind()) {
			return nil, nil
		}
	}
	return next(ctx)
}

// introspects reports whether a selection set contains introspection fields.
func introspects(set ast.SelectionSet, visited map[string]bool) bool {
	for _, s := range set {
		var inner ast.SelectionSet
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == "__schema" || s.Name == "__type" {
				return true
			}
			inner = s.SelectionSet
		case *ast.InlineFragment:
			inner = s.SelectionSet
		case *ast.FragmentSpread:
			if visited[s.Name] || s.Definition == nil {
				continue
			}
			visited[s.Name] = true
			inner = s.Definition.SelectionSet
		}
		if introspects(inner, visited) {
			return true
		}
	}
	return false
}
