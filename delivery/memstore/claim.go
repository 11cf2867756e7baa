package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// Claim implements [delivery.Queue]. The webhooks take turns: the one that was
// claimed from least recently comes first.
func (s *Store) Claim(ctx context.Context, c delivery.ClaimRequest) ([]delivery.Job, error) {
	if err := s.lockAs(ctx, c.Owner, "Claim"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if c.N < 1 || c.PerWebhook < 1 {
		return nil, nil
	}
	now := s.now()
	if !s.mayCome(now) {
		s.queue.releaseAll(now, func(r *row) bool { return !r.leased(now) })
	}
	var jobs []delivery.Job
	for _, r := range s.due(c, now) {
		event, stored := s.EventRows[r.delivery.Event]
		if !stored { // it was discarded: the delivery can't be sent
			s.queue.remove(r)
			continue
		}
		s.queue.lease(r, c.Owner, now.Add(c.Lease))
		jobs = append(jobs, s.job(r, event))
	}
	slices.SortFunc(jobs, func(a, b delivery.Job) int { return cmp.Compare(a.Delivery.ID, b.Delivery.ID) })
	return jobs, nil
}

// job returns a row that was leased, with what its webhook decides.
func (s *Store) job(r *row, event delivery.Event) delivery.Job {
	d, w := s.disposition(r)
	j := delivery.Job{
		Delivery: r.delivery, Event: event, Owner: r.owner,
		Cancel: r.cancel || d == delivery.ToCancel, Hold: !r.cancel && d == delivery.ToHold,
	}
	j.Delivery.State = delivery.Sending
	if w != nil {
		j.WebhookVersion = w.Version.Number
	}
	return j
}

// due chooses the rows of a claim: alerts first, which leave an eighth to others.
func (s *Store) due(c delivery.ClaimRequest, now time.Time) []*row {
	q := &s.queue
	q.turn++
	blocked := s.blocked()
	alerts := q.candidates(c, true, blocked, now)
	if c.Urgent {
		return q.take(nil, alerts, c.N)
	}
	others := q.candidates(c, false, blocked, now)
	room := c.N
	if len(others) > 0 {
		room = max(1, c.N-max(1, c.N/8))
	}
	return q.take(q.take(nil, alerts, room), others, c.N)
}

// A block is why rows of a webhook may not be leased.
type block struct {
	ordered bool // those that are ordered: another one is leased
	behind  bool // those behind one that is held, although the webhook makes calls
	all     bool // they are being put in order
}

// blocked returns the webhooks that rows may not be leased of.
func (s *Store) blocked() map[delivery.WebhookID]block {
	blocked := make(map[delivery.WebhookID]block)
	for id, w := range s.WebhookRows {
		blocked[id] = block{
			behind: w.Status == delivery.Enabled && !w.Version.Deleted, all: s.recalling[id] == recallIntoOrder,
		}
	}
	for _, r := range s.queue.leases {
		if r.delivery.Ordered {
			b := blocked[r.delivery.Webhook]
			b.ordered = true
			blocked[r.delivery.Webhook] = b
		}
	}
	return blocked
}

// candidates returns what each webhook could give to a claim, by turn. Urgent
// says whether to look for alerts, or for all others.
func (q *queue) candidates(
	c delivery.ClaimRequest, urgent bool, blocked map[delivery.WebhookID]block, now time.Time,
) (all [][]*row) {
	for id, line := range q.byWebhook {
		most := c.PerWebhook
		if limit, limited := c.Limits[id]; limited {
			most = min(most, limit)
		}
		if rows := available(line, most, urgent, blocked[id], now); len(rows) > 0 {
			all = append(all, rows)
		}
	}
	slices.SortFunc(all, func(a, b []*row) int {
		x, y := a[0].delivery.Webhook, b[0].delivery.Webhook
		return cmp.Or(cmp.Compare(q.turns[x], q.turns[y]), cmp.Compare(x, y))
	})
	return all
}

// available returns at most n rows of a line that may be leased. Ordered rows may
// be leased up to the first that is not due or blocks the line, and not while it
// is blocked.
func available(line []*row, n int, urgent bool, blocked block, now time.Time) (rows []*row) {
	for _, r := range line {
		d := &r.delivery
		switch {
		case len(rows) >= n, blocked.all:
			return rows
		case r.held:
			blocked.ordered = blocked.ordered || d.Ordered && blocked.behind
		case d.Type.Urgent() != urgent || r.owner != delivery.Owner{}:
		case r.due.After(now):
			blocked.ordered = blocked.ordered || d.Ordered
		case !d.Ordered || !blocked.ordered:
			rows = append(rows, r)
		}
	}
	return rows
}

// take adds rows of the candidates to taken, up to n in all.
func (q *queue) take(taken []*row, candidates [][]*row, n int) []*row {
	for _, rows := range candidates {
		if len(taken) >= n {
			break
		}
		q.turns[rows[0].delivery.Webhook] = q.turn
		taken = append(taken, rows[:min(len(rows), n-len(taken))]...)
	}
	return taken
}
