package limits

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"
)

type variablesKey struct{}

// WithVariables returns a context with which an operation's variables are decoded
// when its document is known to use some: a request that is refused before, or
// has variables that no document asks for, takes no memory for them. decode may be
// nil.
func WithVariables(ctx context.Context, decode func() map[string]any) context.Context {
	if decode == nil {
		return ctx
	}
	return context.WithValue(ctx, variablesKey{}, decode)
}

// variablesFor returns the variables of ctx, decoded; nil if doc has none.
func variablesFor(ctx context.Context, doc *ast.QueryDocument) map[string]any {
	decode, ok := ctx.Value(variablesKey{}).(func() map[string]any)
	if !ok {
		return nil
	}
	for _, op := range doc.Operations {
		if len(op.VariableDefinitions) > 0 {
			return decode()
		}
	}
	return nil
}
