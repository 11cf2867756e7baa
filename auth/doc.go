// Package auth turns a request into a delivery.Caller.
//
// A program shows an API key as a bearer token. In development mode a person
// follows the one-time URL that the server prints, and carries a session
// cookie from then on. What a caller may do is not decided here: package
// delivery checks the Caller that this package makes.
package auth
