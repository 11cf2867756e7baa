package receiver

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// The limits of the request log.
const (
	MaxEntries = 1000
	maxBytes   = 32 << 20 // of bodies and headers
)

// A Signature is the result of verifying a request's signature.
type Signature string

// The results of verifying a signature.
const (
	SignatureVerified Signature = "verified"
	SignatureInvalid  Signature = "invalid"
	SignatureUnknown  Signature = "unknown" // no secret to verify it with
)

// An Entry is a received request and the status of its response.
type Entry struct {
	Number    int64       `json:"number"` // from 1, never reused
	At        time.Time   `json:"at"`
	Method    string      `json:"method"`
	Path      string      `json:"path"`
	Query     string      `json:"query,omitempty"`
	Header    http.Header `json:"header"`
	Body      string      `json:"body"`
	Signature Signature   `json:"signature"`
	Status    int         `json:"status"`
	Took      float64     `json:"tookMs"`
}

func (e *Entry) size() int {
	size := len(e.Method) + len(e.Path) + len(e.Query) + len(e.Body)
	for name, values := range e.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

// A requestLog holds the latest entries, up to MaxEntries and maxBytes.
type requestLog struct {
	mu      sync.Mutex
	last    int64
	entries []Entry // ascending by Number, without gaps
	bytes   int
}

// add assigns a number to e, appends it and returns it.
func (l *requestLog) add(e Entry) Entry {
	size := e.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Number = l.last
	l.entries = append(l.entries, e)
	l.bytes += size
	for len(l.entries) > MaxEntries || l.bytes > maxBytes && len(l.entries) > 1 {
		l.bytes -= l.entries[0].size()
		l.entries[0] = Entry{} // releases its memory
		l.entries = l.entries[1:]
	}
	return e
}

// after returns at most limit entries with a number greater than number and the given
// path (any if empty), and the number to continue after.
func (l *requestLog) after(number int64, path string, limit int) (found []Entry, last int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found = []Entry{}
	for _, e := range l.entries {
		if e.Number <= number || path != "" && strings.Trim(e.Path, "/") != strings.Trim(path, "/") {
			continue
		}
		if len(found) == limit {
			return found, found[limit-1].Number
		}
		found = append(found, e)
	}
	return found, max(l.last, number)
}

// clear removes all entries. Their numbers are not reused.
func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.bytes = nil, 0
}
