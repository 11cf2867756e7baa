package receiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"portalhooks/delivery/signature"
)

// MaxBody is the maximum size of a request body in bytes. Larger requests are rejected
// with status 413.
const MaxBody = 1 << 20

// Options configure a Simulator. The zero value is ready for use.
type Options struct {
	// Verify verifies the signature of a request with this body. Known is false if
	// there is no secret to verify it with. Signatures are not verified if nil.
	Verify func(r *http.Request, body []byte) (verified, known bool)

	// Log receives one line per request. Optional.
	Log io.Writer
}

// VerifyWith returns a function for Options.Verify that accepts signatures by any of
// the secrets.
func VerifyWith(secrets ...signature.Secret) func(*http.Request, []byte) (verified, known bool) {
	return func(r *http.Request, body []byte) (verified, known bool) {
		if len(secrets) == 0 {
			return false, false
		}
		return signature.Verify(r.Header, body, time.Now(), secrets...) == nil, true
	}
}

// A Simulator simulates several kinds of receivers and logs their requests. It is safe
// for concurrent use. Mount it with http.StripPrefix to serve it below a path.
type Simulator struct {
	opts     Options
	routes   []route
	requests requestLog
	flaky    failures

	mu      sync.Mutex // guards writes to Options.Log, and the counters
	limited int
	tickets int
}

// New returns a Simulator with an empty request log.
func New(o Options) *Simulator {
	s := &Simulator{opts: o}
	s.routes = s.behaviours()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(r.URL.Path, "/") == "requests" {
		s.serveRequests(w, r)
		return
	}
	started := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var reply response
	if err != nil {
		reply = readFailed(err)
	} else {
		reply = s.respond(r, body)
	}
	entry := s.requests.add(s.entryOf(r, body, started, reply.status))
	s.log(entry)
	reply.write(w)
}

func readFailed(err error) response {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return text(http.StatusRequestEntityTooLarge, "The body is longer than 1 MiB.")
	}
	return text(http.StatusBadRequest, "The body could not be read.")
}

func (s *Simulator) entryOf(r *http.Request, body []byte, at time.Time, status int) Entry {
	result := SignatureUnknown
	if s.opts.Verify != nil {
		if verified, known := s.opts.Verify(r, body); known {
			result = SignatureInvalid
			if verified {
				result = SignatureVerified
			}
		}
	}
	return Entry{
		At: at.UTC(), Method: r.Method, Query: r.URL.RawQuery,
		// StripPrefix may have removed the leading slash.
		Path:   "/" + strings.TrimPrefix(r.URL.EscapedPath(), "/"),
		Header: r.Header.Clone(), Body: string(body), Signature: result, Status: status,
		Took: float64(time.Since(at)) / float64(time.Millisecond),
	}
}

// log writes one line to Options.Log. Fields of the request are quoted if they contain
// characters that a terminal interprets.
func (s *Simulator) log(e Entry) {
	if s.opts.Log == nil {
		return
	}
	line := fmt.Sprintf("%s %s %s %d %d B %s attempt %s signature %s\n",
		e.At.Format(time.RFC3339), plain(e.Method), plain(e.Path), e.Status, len(e.Body),
		plain(e.Header.Get(signature.HeaderID)), plain(e.Header.Get(signature.HeaderAttempt)), e.Signature)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Ignored: the requests are still available at /requests.
	_, _ = io.WriteString(s.opts.Log, line)
}

const maxLogged = 120

func plain(value string) string {
	if value == "" {
		return "-"
	}
	if len(value) > maxLogged {
		value = value[:maxLogged]
	}
	quoted := strconv.QuoteToASCII(value)
	if quoted == `"`+value+`"` {
		return value
	}
	return quoted
}

// count increments a counter of s and returns it.
func (s *Simulator) count(counter *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter++
	return *counter
}
