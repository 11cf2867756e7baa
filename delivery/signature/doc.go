// Package signature signs and verifies webhook calls according to the Standard
// Webhooks specification.
//
// A call has three headers: the id of the delivery, which is the same for every
// retry, the time of the attempt in Unix seconds, and one or more signatures. A
// signature is the HMAC-SHA256 of
//
//	id "." timestamp "." body
//
// with a Secret shared by the sender and the receiver of one webhook. During a
// rotation, calls are signed with the new secret and the old ones, so that the
// receiver can switch at any time.
//
// Printing a Secret prints a placeholder; only Reveal returns its text.
package signature
