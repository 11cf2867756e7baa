// Package graph answers GraphQL. A resolver finds out who is calling, makes one
// call of delivery.Service and shows the result; rules live in the service.
//
// Expected mistakes in a mutation's input become its payload's userErrors.
// Every other failure leaves through one presenter with extensions.code; what
// is private to the server leaves as INTERNAL with a request id, and is logged.
//
// Reports arrive in thousands, so they are decoded directly from a request's
// JSON (decode.go) as long as they are valid. The generated code decodes all
// others and says what is wrong. Tests hold both to the same results.
//
// Fields that need the store load it for all things that were returned
// together: see package graph/model.
package graph
