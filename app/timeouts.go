package app

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// Timeouts are how long the server waits for its clients. No setting changes them.
type Timeouts struct {
	Header time.Duration // for the header of a request, or a TLS handshake; 5s if zero
	Body   time.Duration // for all of a request; 30s if zero
	Answer time.Duration // to write a page or another answer that is not an operation's; 60s if zero
	Idle   time.Duration // for the next request on a connection; 60s if zero

	Traces time.Duration // to send the last spans when the server stops; 5s if zero

	// For sockets, event streams and operations, as in graph.Options.
	Init, Ping, Write time.Duration
}

// The bounds of an HTTP/2 connection. A caller has at most 20 event streams, and
// needs streams for its other requests beside them.
const (
	maxStreams    = 32
	receiveBuffer = 256 << 10 // bytes of bodies that wait to be read
)

// server returns a server of handler with these timeouts.
func (t Timeouts) server(handler http.Handler, log *slog.Logger) *http.Server {
	write := cmp.Or(t.Write, 10*time.Second)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cmp.Or(t.Header, 5*time.Second),
		ReadTimeout:       cmp.Or(t.Body, 30*time.Second),
		WriteTimeout:      cmp.Or(t.Answer, 60*time.Second), // streams and answers of operations set their own
		IdleTimeout:       cmp.Or(t.Idle, 60*time.Second),
		MaxHeaderBytes:    32 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: receiveBuffer,
			MaxReceiveBufferPerStream:     receiveBuffer,
			SendPingTimeout:               cmp.Or(t.Ping, 20*time.Second),
			PingTimeout:                   write,
			WriteByteTimeout:              write,
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
