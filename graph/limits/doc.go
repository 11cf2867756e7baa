// Package limits limits GraphQL documents and validates their variables strictly.
//
// A [Guard] is a gqlgen extension and query cache in one. Before a document is
// validated, it limits its size and shape: text, tokens, depth, fields, root
// fields and aliases. During validation, [Guard.Rules] refuses numbers that are
// out of range. With the variables, it refuses values that gqlparser would
// convert, such as the string "5" for an Int, and limits the complexity of the
// operation.
//
// A [Direct] is an operation whose variable is decoded by the caller instead.
//
// Every refusal is a *gqlerror.Error whose extensions.code is LIMIT_EXCEEDED
// or BAD_USER_INPUT.
package limits
