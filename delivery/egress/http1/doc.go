// Package http1 is a client of HTTP/1.1 for one purpose: many small POST
// requests to receivers that may be hostile.
//
// A Transport has one method, Do. It writes a request over an unused connection
// or a new one, reads the head of the response and hands the response to the
// Handler of the call, which also opens connections and measures. Everything
// happens on the goroutine of the call, and net/http parses the response.
//
// The package knows nothing of URLs, addresses, TLS settings or proxies, and
// keeps nothing of a response. Those are the concern of package egress.
package http1
