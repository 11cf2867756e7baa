package delivery

import (
	"time"

	"portalhooks/delivery/egress"
)

// An Outcome says in one word how an attempt ended. The list is closed.
type Outcome = egress.Outcome

// The outcomes that package egress does not know: they are verdicts on a
// message or an answer, not on an HTTP exchange.
const (
	RuleFailed   Outcome = "RULE_FAILED"    // the answer broke the webhook's success rule
	BodyTooLarge Outcome = "BODY_TOO_LARGE" // the rendered message is over the limit; never sent
)

// An Attempt is one HTTP call for a delivery. Attempts are immutable.
type Attempt struct {
	Number            int // 1, 2, …
	StartedAt         time.Time
	Duration          time.Duration
	Timing            Timing
	Outcome           Outcome
	HTTPStatus        int    // 0 when there was no answer
	Error             string // a sentence for people, empty on success
	RemoteAddress     string // the address that was dialled, empty when none was
	ResponseHeaders   []Header
	ResponseBody      string // at most 16 KiB, valid UTF-8
	ResponseTruncated bool
	ResponseBytes     int64 // how many bytes of body were read
}

// Timing splits an attempt's duration. A phase that did not happen is
// negative.
type Timing struct {
	DNS, Connect, TLS, FirstByte, Body time.Duration
	Reused                             bool // an idle connection served the attempt
}

// A LogEntry is one line of the append-only delivery log: what happened to a
// delivery, and the state it led to. The entry that led to a final state *is*
// the finished delivery.
type LogEntry struct {
	ID       LogID
	At       time.Time // UTC
	Delivery Delivery  // as it stands after the entry
	Attempt  *Attempt  // nil when no call was made: held, or canceled
}
