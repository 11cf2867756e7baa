package limits

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// Explain says what is wrong with the operation name or the variables of a valid
// document that the executor has refused, and what would be right; nil if neither
// is wrong. gqlparser says only "must be defined" or "unknown field".
func (g *Guard) Explain(params *graphql.RawParams) *gqlerror.Error {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: params.Query}, g.limits.Tokens)
	if err != nil {
		return nil
	}
	if op := doc.Operations.ForName(params.OperationName); op != nil {
		return g.checkVariables(op, params.Variables)
	}
	names := make([]string, 0, len(doc.Operations))
	for _, op := range doc.Operations {
		if op.Name != "" {
			names = append(names, op.Name)
		}
	}
	switch {
	case len(doc.Operations) == 0:
		return noOperation("The document has no operation, only fragments.")
	case params.OperationName == "":
		return noOperation("The document has several operations. Set operationName to one of " +
			listed(names) + ".")
	case len(names) == 0:
		return noOperation("The document has one operation without a name. Leave operationName out.")
	}
	return noOperation("The document has no operation with this operationName. Its operations are " +
		listed(names) + ".")
}

func noOperation(message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": CodeBadInput}}
}
