// Package signature signs webhook calls and checks signed ones, by the
// Standard Webhooks specification.
//
// A call carries three headers: the id of the delivery, which stays the same
// at every retry, the time of the attempt in Unix seconds, and one or more
// signatures. A signature is the HMAC-SHA256 of
//
//	id "." timestamp "." body
//
// under a Secret that only the sender and one webhook's receiver know. While
// a secret is being replaced a call is signed with the new one and the old
// ones, so that the receiver may change over whenever it likes.
//
// Anything that prints a Secret prints a placeholder; only Reveal gives its
// text.
package signature
