package limits

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"
)

// A Direct is an operation with one variable, in a document that was accepted
// before. A caller that decodes the variable itself, as strictly as this package,
// executes the operation with the context from [Direct.With] and no variables.
type Direct struct {
	Variable string // its name
	Type     string // as the schema writes it: "[Thing!]!"

	doc *ast.QueryDocument
}

// directOf returns doc as a Direct; nil if it is not one operation with one
// variable.
func directOf(doc *ast.QueryDocument) *Direct {
	if len(doc.Operations) != 1 || len(doc.Operations[0].VariableDefinitions) != 1 {
		return nil
	}
	variable := doc.Operations[0].VariableDefinitions[0]
	// Without the definition, gqlparser does not coerce the variable.
	operation, bare := *doc.Operations[0], *doc
	operation.VariableDefinitions = nil
	bare.Operations = ast.OperationList{&operation}
	return &Direct{Variable: variable.Variable, Type: variable.Type.String(), doc: &bare}
}

// Direct returns the operation of a query that was accepted before; nil if it was
// not, or if it does not have exactly one variable.
func (g *Guard) Direct(query string) *Direct {
	if known, ok := g.cache.get(query); ok {
		return known.direct
	}
	return nil
}

type directKey struct{}

// A decoded is a Direct with the value of its variable.
type decoded struct {
	direct *Direct
	value  any
}

// With returns a context in which value is the operation's variable.
func (d *Direct) With(ctx context.Context, value any) context.Context {
	return context.WithValue(ctx, directKey{}, decoded{d, value})
}

// Value returns the operation's variable if it was decoded directly; otherwise the
// value is in the arguments of the field.
func Value(ctx context.Context) (value any, ok bool) {
	d, ok := ctx.Value(directKey{}).(decoded)
	return d.value, ok
}

// directIn returns the document without the variable that was decoded directly.
func directIn(ctx context.Context) (*ast.QueryDocument, bool) {
	if d, ok := ctx.Value(directKey{}).(decoded); ok {
		return d.direct.doc, true
	}
	return nil, false
}
