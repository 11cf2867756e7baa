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
	s.queue.releaseAll(now, func(r *row) bool { return !r.leased(now) })
	var jobs []delivery.Job
	for _, r := range s.queue.due(c, now) {
		event, stored := s.EventRows[r.delivery.Event]
		if !stored { // it was discarded: the delivery can't be sent
			s.queue.remove(r)
			continue
		}
		s.queue.lease(r, c.Owner, now.Add(c.Lease))
		d := r.delivery
		d.State = delivery.Sending
		jobs = append(jobs, delivery.Job{Delivery: d, Event: event, Owner: c.Owner, Cancel: r.cancel})
	}
	slices.SortFunc(jobs, func(a, b delivery.Job) int { return cmp.Compare(a.Delivery.ID, b.Delivery.ID) })
	return jobs, nil
}

// due chooses the rows of a claim: alerts first, which leave an eighth to others.
func (q *queue) due(c delivery.ClaimRequest, now time.Time) []*row {
	q.turn++
	blocked := q.blocked()
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

// blocked returns the webhooks that have ordered deliveries out.
func (q *queue) blocked() map[delivery.WebhookID]bool {
	blocked := make(map[delivery.WebhookID]bool)
	for _, r := range q.leases {
		if r.delivery.Ordered {
			blocked[r.delivery.Webhook] = true
		}
	}
	return blocked
}

// candidates returns what each webhook could give to a claim, by turn. Urgent
// says whether to look for alerts, or for all others.
func (q *queue) candidates(
	c delivery.ClaimRequest, urgent bool, blocked map[delivery.WebhookID]bool, now time.Time,
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
// be leased up to the first that is not due, and not while the line is blocked.
func available(line []*row, n int, urgent, blocked bool, now time.Time) (rows []*row) {
	for _, r := range line {
		d := &r.delivery
		switch {
		case len(rows) >= n:
			return rows
		case r.held || d.Type.Urgent() != urgent || r.owner != delivery.Owner{}:
		case r.due.After(now):
			blocked = blocked || d.Ordered
		case !d.Ordered || !blocked:
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
