// Package graph implements the GraphQL API. A resolver gets the caller from the
// context, makes one call to the service and converts the result. Business rules
// are in the service.
//
// Errors in the input of a mutation become userErrors of its payload. All other
// errors pass one presenter, which sets extensions.code; internal errors are
// logged and presented as INTERNAL with a request id.
//
// Reports arrive in thousands, so they are decoded directly from a request's
// JSON (decode.go) as long as they are valid. The generated code decodes all
// others and says what is wrong. Tests hold both to the same results.
//
// Fields that need the store are loaded for all objects that a resolver returned
// together: see package graph/model.
package graph
