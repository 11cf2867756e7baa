package delivery

import (
	"math/bits"
	"time"
)

// A Count counts the log entries of one stretch of time that led to one state
// with one outcome. Entries of tests are not counted.
type Count struct {
	At        time.Time // when the stretch begins, UTC
	Webhook   WebhookID // 0 unless webhooks were to be told apart
	State     State     // that the entries led to
	Outcome   Outcome   // of the latest attempt; empty when there was none
	Entries   int64
	Attempts  int64 // entries that are an attempt of their own
	Durations Durations
}

// A CountQuery says which entries to count, and what to tell apart. Zero lists
// don't narrow.
type CountQuery struct {
	From, To  time.Time     // entries written in [From, To), both whole hours
	Step      time.Duration // how long a stretch is, in whole hours; the first begins at From
	ByWebhook bool
	Webhooks  []WebhookID
	Types     []EventType
	States    []State
	Outcomes  []Outcome
}

// Durations counts attempts by how long they took. Place 0 has those below a
// millisecond, each later place those below twice as much, and the last place
// all that took longer.
type Durations [17]int64

// PlaceOf returns the place in Durations for one attempt.
func PlaceOf(d time.Duration) int {
	return min(bits.Len64(uint64(max(0, d.Milliseconds()))), len(Durations{})-1)
}

// lower returns the least duration of a place.
func lower(place int) time.Duration {
	if place == 0 {
		return 0
	}
	return time.Millisecond << (place - 1)
}

// Add counts those of other too.
func (d *Durations) Add(other Durations) {
	for i, n := range other {
		d[i] += n
	}
}

// Quantile returns how long an attempt took that is not faster than the given
// share of all, to within its place; false when there are none. What took longer
// than all places is taken to have taken as long as the last one begins.
func (d Durations) Quantile(share float64) (time.Duration, bool) {
	var all int64
	for _, n := range d {
		all += n
	}
	if all == 0 {
		return 0, false
	}
	rank := share * float64(all)
	for i, n := range d {
		if n == 0 || rank > float64(n) {
			rank -= float64(n)
			continue
		}
		if i == len(d)-1 {
			return lower(i), true
		}
		width := lower(i+1) - lower(i)
		return lower(i) + time.Duration(float64(width)*rank/float64(n)), true
	}
	return lower(len(d) - 1), true
}
