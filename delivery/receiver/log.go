package receiver

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// The bounds of what is remembered.
const (
	MaxEntries = 1000
	maxKept    = 32 << 20 // bytes of bodies and headers
)

// A Signature is the verdict on a request's signature.
type Signature string

// The verdicts on a signature.
const (
	SignatureVerified Signature = "verified"
	SignatureInvalid  Signature = "invalid"
	SignatureUnknown  Signature = "unknown" // no secret to check it with
)

// An Entry is one request received and how it was answered.
type Entry struct {
	Number    int64       `json:"number"` // counts from 1 and is never used twice
	At        time.Time   `json:"at"`
	Method    string      `json:"method"`
	Path      string      `json:"path"`
	Query     string      `json:"query,omitempty"`
	Header    http.Header `json:"header"`
	Body      string      `json:"body"`
	Signature Signature   `json:"signature"`
	Status    int         `json:"status"` // of the answer
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

// A journal remembers the last entries, up to MaxEntries and maxKept.
type journal struct {
	mu      sync.Mutex
	last    int64
	entries []Entry // ascending by Number, without gaps
	kept    int
}

// add gives e its number, keeps it, and returns it.
func (j *journal) add(e Entry) Entry {
	size := e.size()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.Number = j.last
	j.entries = append(j.entries, e)
	j.kept += size
	for len(j.entries) > MaxEntries || j.kept > maxKept && len(j.entries) > 1 {
		j.kept -= j.entries[0].size()
		j.entries[0] = Entry{} // lets go of what the array still holds
		j.entries = j.entries[1:]
	}
	return e
}

// after returns at most limit entries numbered higher than number, whose path
// is path unless that is empty, and the number to go on from.
func (j *journal) after(number int64, path string, limit int) (found []Entry, last int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found = []Entry{}
	for _, e := range j.entries {
		if e.Number <= number || path != "" && strings.Trim(e.Path, "/") != strings.Trim(path, "/") {
			continue
		}
		if len(found) == limit {
			return found, found[limit-1].Number
		}
		found = append(found, e)
	}
	return found, max(j.last, number)
}

// forget drops every entry. Numbers go on from where they were.
func (j *journal) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.kept = nil, 0
}
