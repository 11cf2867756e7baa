package transport

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
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
