package pipeline

import (
	"context"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// isolate finds the results that the database refuses for what they contain. It
// stores the halves of a batch apart, down to a single result, of which less and
// less is stored: without what the receiver answered, then no more than that it
// has FAILED. What even so is refused is given up.
func (t *Settler) isolate(ctx context.Context, results []settling, cause error) []bool {
	if len(results) > 1 {
		half := len(results) / 2
		return append(t.settle(ctx, results[:half]), t.settle(ctx, results[half:])...)
	}
	one := &results[0]
	switch {
	case strip(one):
		return t.settle(ctx, results)
	case one.replaced:
		t.log.ErrorContext(ctx, "give up a result: the database refuses it", "delivery", one.Entry.Delivery.ID,
			"err", cause)
		return []bool{false}
	}
	t.metrics.unstorable.Inc()
	t.log.ErrorContext(ctx, "a result can't be stored: its delivery has FAILED instead",
		"delivery", one.Entry.Delivery.ID, "err", cause)
	one.replace()
	return t.settle(ctx, results)
}

// strip takes what the receiver answered from a result, and reports whether there
// was anything.
func strip(item *settling) bool {
	a := item.Entry.Attempt
	if a == nil || a.ResponseBody == "" && len(a.ResponseHeaders) == 0 {
		return false
	}
	stripped := *a
	stripped.ResponseBody, stripped.ResponseHeaders, stripped.ResponseTruncated = "", nil, a.ResponseBytes > 0
	item.Entry.Attempt = &stripped
	return true
}

// replace leaves of a result only that its delivery has FAILED, and why.
func (s *settling) replace() {
	e := &s.Entry
	s.replaced = true
	d := &e.Delivery
	d.State, d.Attempts, d.NextAttemptAt, d.FinishedAt = delivery.Failed, s.Before+1, time.Time{}, e.At
	e.Attempt = &delivery.Attempt{
		Number: s.Before + 1, StartedAt: e.At, Timing: noTiming, Outcome: egress.ResponseError,
		Error: "The database refused to store what became of this delivery, which may have been sent. " +
			"Tell the server's operator the delivery's id.",
	}
}
