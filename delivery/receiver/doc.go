// Package receiver simulates the receivers of webhooks, for testing templates, retries
// and success rules without a network.
//
// A Simulator is an http.Handler. Each of its paths behaves like one kind of receiver:
// one that accepts everything, a slow one, one with a rate limit, one that reports
// errors with status 200. The latest requests can be read at /requests, with the
// result of verifying their signatures.
//
// Requests are kept in memory, up to a limit, and are shown to every caller without
// authentication: serve a Simulator on a loopback address only.
package receiver
