// Package httpserver is what every request passes before anything answers it: the
// bound on connections, TLS, the address of the caller, rate limits,
// and the headers of every answer.
package httpserver
