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

// MaxBody is the longest request body that is read, in bytes. A longer one is
// answered with 413.
const MaxBody = 1 << 20

// Options tune a Simulator. The zero value is ready for use.
type Options struct {
	// Verify checks the signature of a request with this body. It reports
	// known as false when it can't tell, for want of a secret. Nothing is
	// checked if it is nil.
	Verify func(r *http.Request, body []byte) (verified, known bool)

	// Log gets one line per request if it is set.
	Log io.Writer
}

// VerifyWith returns a function for Options that accepts a signature by any of
// secrets.
func VerifyWith(secrets ...signature.Secret) func(*http.Request, []byte) (verified, known bool) {
	return func(r *http.Request, body []byte) (verified, known bool) {
		if len(secrets) == 0 {
			return false, false
		}
		return signature.Verify(r.Header, body, time.Now(), secrets...) == nil, true
	}
}

// A Simulator answers like many kinds of receivers and remembers what it got.
// It may be used by many goroutines at once. Mount it with http.StripPrefix
// to serve it below a path.
type Simulator struct {
	opts    Options
	routes  []route
	journal journal
	flaky   failures

	mu      sync.Mutex // guards the log and the counters
	limited int
	tickets int
}

// New returns a simulator that has received nothing.
func New(o Options) *Simulator {
	s := &Simulator{opts: o}
	s.routes = s.behaviours()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Trim(r.URL.Path, "/") == "requests" {
		s.serveJournal(w, r)
		return
	}
	started := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var reply answer
	if err != nil {
		reply = ofReadError(err)
	} else {
		reply = s.answer(r, body)
	}
	entry := s.journal.add(s.entryOf(r, body, started, reply.status))
	s.log(entry)
	reply.write(w)
}

func ofReadError(err error) answer {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return text(http.StatusRequestEntityTooLarge, "The body is longer than 1 MiB.")
	}
	return text(http.StatusBadRequest, "The body could not be read to its end.")
}

func (s *Simulator) entryOf(r *http.Request, body []byte, at time.Time, status int) Entry {
	verdict := SignatureUnknown
	if s.opts.Verify != nil {
		if verified, known := s.opts.Verify(r, body); known {
			verdict = SignatureInvalid
			if verified {
				verdict = SignatureVerified
			}
		}
	}
	return Entry{
		At: at.UTC(), Method: r.Method, Query: r.URL.RawQuery,
		// StripPrefix may have taken the first slash away.
		Path:   "/" + strings.TrimPrefix(r.URL.EscapedPath(), "/"),
		Header: r.Header.Clone(), Body: string(body), Signature: verdict, Status: status,
		Took: float64(time.Since(at)) / float64(time.Millisecond),
	}
}

// log writes one line. What comes from the request is quoted where it could
// move the cursor of a terminal.
func (s *Simulator) log(e Entry) {
	if s.opts.Log == nil {
		return
	}
	line := fmt.Sprintf("%s %s %s %d %d B %s attempt %s signature %s\n",
		e.At.Format(time.RFC3339), plain(e.Method), plain(e.Path), e.Status, len(e.Body),
		plain(e.Header.Get(signature.HeaderID)), plain(e.Header.Get(signature.HeaderAttempt)), e.Signature)
	s.mu.Lock()
	defer s.mu.Unlock()
	// A simulator whose log can't be written still has its requests to show.
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

// count adds one to a counter of s and returns it.
func (s *Simulator) count(counter *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter++
	return *counter
}
