// Package auth turns a request into a delivery.Caller.
//
// A program shows an API key, or a token of the identity provider, as a bearer
// token. A person signs in with the provider and carries a session cookie from
// then on; in development mode without one, he follows the one-time URL that the
// server prints. What a provider says of somebody becomes grants by [Rules].
// What a caller may do is not decided here: package delivery checks the Caller
// that this package makes. Live connections are told when the credentials that
// they came with no longer hold, whichever these are.
package auth
