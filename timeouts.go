package main

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// timeouts are how long the server waits for its clients. No setting changes it.
type timeouts struct {
	header time.Duration // for the header of a request, or a TLS handshake; 5s if zero
	body   time.Duration // for all of a request; 30s if zero
	answer time.Duration // for an answer of no operation to be taken; 60s if zero
	idle   time.Duration // for the next request on a connection; 60s if zero

	// As those of sockets, event streams and operations in graph.Options.
	init, ping, write time.Duration
}

// server returns a server of handler that waits for nobody longer.
func (t timeouts) server(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cmp.Or(t.header, 5*time.Second),
		ReadTimeout:       cmp.Or(t.body, 30*time.Second),
		WriteTimeout:      cmp.Or(t.answer, 60*time.Second), // streams and answers of operations set their own
		IdleTimeout:       cmp.Or(t.idle, 60*time.Second),
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
