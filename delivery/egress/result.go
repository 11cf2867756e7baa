package egress

import (
	"net/http"
	"time"
)

// The limits of what is read and kept of a response, in bytes and values.
const (
	MaxRead         = 64 << 10 // of the body; reading stops there
	MaxBody         = 16 << 10 // of the body, kept in a Result
	maxHeaderKept   = 8 << 10  // of the headers, kept in a Result
	maxHeaderValues = 64       // of the headers, kept in a Result
)

// A Request is one call to a receiver. The method is always POST.
type Request struct {
	URL     string
	Header  http.Header   // not changed
	Body    []byte        // not changed, and not read after Do returns
	Timeout time.Duration // for everything from lookup to the last byte; 15s if zero
}

// A Result describes how a call ended.
type Result struct {
	Started  time.Time
	Duration time.Duration
	Timing   Timing
	Outcome  Outcome
	Err      string // a sentence for the organization; empty if Success

	Status     int         // 0 without a response
	Header     http.Header // without cookies and credentials, limited, valid UTF-8
	Body       []byte      // the beginning, at most MaxBody bytes, valid UTF-8 without NUL
	BodyBytes  int64       // the number of bytes read, at most MaxRead
	Truncated  bool        // Body is shorter than the response's body
	RemoteAddr string      // address and port that were dialled; empty if Blocked or proxied

	RetryAfter    time.Duration // the pause that the receiver asked for, at most MaxRetryAfter
	HasRetryAfter bool
}

// Timing holds how long each step of a call took. A step that did not take place,
// such as the lookup on a reused connection, is 0.
type Timing struct {
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // from having a connection to the first byte of the response
	Body      time.Duration // from there to its last byte
	Reused    bool          // an open connection was reused
}
