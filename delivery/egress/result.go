package egress

import (
	"net/http"
	"time"
)

// The bounds of what is read and kept of an answer, in bytes.
const (
	MaxRead         = 64 << 10 // of the body; reading stops there
	MaxBody         = 16 << 10 // of the body, kept in a Result
	maxHeaderKept   = 8 << 10  // of the headers, kept in a Result
	maxHeaderValues = 64
)

// A Request is one call to a receiver. The method is always POST.
type Request struct {
	URL     string
	Header  http.Header   // not changed
	Body    []byte        // not changed, and not read after Do returns
	Timeout time.Duration // for everything from lookup to the last byte; 15s if zero
}

// A Result is what became of a call.
type Result struct {
	Started  time.Time
	Duration time.Duration
	Timing   Timing
	Outcome  Outcome
	Err      string // a sentence for the organization; empty on Success

	Status     int         // 0 if no answer came
	Header     http.Header // without cookies and credentials, bounded, valid UTF-8
	Body       []byte      // the beginning, at most MaxBody, valid UTF-8 without NUL
	BodyBytes  int64       // how much was read, at most MaxRead
	Truncated  bool        // Body is not all that the receiver sent
	RemoteAddr string      // address and port that were dialled; empty if Blocked or proxied

	RetryAfter    time.Duration // what the receiver asked for, at most MaxRetryAfter
	HasRetryAfter bool
}

// Timing says how long each step of a call took. A step that did not take
// place, such as the lookup on a reused connection, is 0.
type Timing struct {
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // from having a connection to the first byte of the answer
	Body      time.Duration // from there to its last byte
	Reused    bool          // an open connection was used again
}
