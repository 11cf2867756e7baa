// Package auth turns a request into a delivery.Caller.
//
// A program sends an API key, or a token of the identity provider, as a bearer
// token. A person signs in with the provider, or in development mode with the
// one-time URL that the server prints, and gets a session cookie. [Rules] map the
// claims of the provider to grants. Package auth only authenticates; package
// delivery checks what a Caller may do. Live connections are ended when their
// credentials expire, are revoked or lose a role.
package auth
