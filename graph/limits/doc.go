// Package limits keeps hostile GraphQL documents and sloppy values away from the resolvers.
//
// A [Guard] is a gqlgen extension and query cache in one. Before a document
// is validated it checks its size and shape (text, tokens, depth, fields,
// root fields, aliases); while it is validated, [Guard.Rules] refuses literals
// that no resolver could take; and once the variables are known it checks
// them without the conversions that gqlparser allows, so that the string "5"
// is not an Int, and reckons what the operation costs.
//
// A [Direct] is an operation whose variable somebody else reads, as strictly.
//
// Every refusal is a *gqlerror.Error whose extensions.code is LIMIT_EXCEEDED
// or BAD_USER_INPUT.
package limits
