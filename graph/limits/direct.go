package limits

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"
)

// A Direct is an operation with one variable, in a document that was accepted
// before. Who has read the variable without the help of this package, and no
// less strictly, executes the operation under the context of [Direct.With],
// and with no variables.
type Direct struct {
	Variable string // its name
	Type     string // as the schema writes it: "[Thing!]!"

	doc *ast.QueryDocument
}

// directOf returns doc as a Direct, nil when it isn't one operation with one
// variable.
func directOf(doc *ast.QueryDocument) *Direct {
	if len(doc.Operations) != 1 || len(doc.Operations[0].VariableDefinitions) != 1 {
		return nil
	}
	variable := doc.Operations[0].VariableDefinitions[0]
	// Without the definition, gqlparser has no variable to convert.
	operation, bare := *doc.Operations[0], *doc
	operation.VariableDefinitions = nil
	bare.Operations = ast.OperationList{&operation}
	return &Direct{Variable: variable.Variable, Type: variable.Type.String(), doc: &bare}
}

// Direct returns the operation of a query that was accepted before, nil when
// it was not, or has not just one variable.
func (g *Guard) Direct(query string) *Direct {
	if known, ok := g.cache.get(query); ok {
		return known.direct
	}
	return nil
}

type directKey struct{}

// A read is a Direct with what its variable is.
type read struct {
	direct *Direct
	value  any
}

// With returns a context in which the operation's variable is value.
func (d *Direct) With(ctx context.Context, value any) context.Context {
	return context.WithValue(ctx, directKey{}, read{d, value})
}

// Value returns what the operation's variable is, if it was read directly; else
// the arguments have it.
func Value(ctx context.Context) (value any, ok bool) {
	r, ok := ctx.Value(directKey{}).(read)
	return r.value, ok
}

// directIn returns the document without the variable that was read directly.
func directIn(ctx context.Context) (*ast.QueryDocument, bool) {
	if r, ok := ctx.Value(directKey{}).(read); ok {
		return r.direct.doc, true
	}
	return nil, false
}
