package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

// A countKey says what the entries of one count have in common.
type countKey struct {
	org     delivery.OrgID
	hour    time.Time
	webhook delivery.WebhookID
	kind    delivery.EventType
	state   delivery.State
	outcome delivery.Outcome
}

// count counts an entry that was just written.
func (s *Store) count(e *delivery.LogEntry) {
	d := &e.Delivery
	if d.Trigger == delivery.ByTest {
		return
	}
	key := countKey{d.Org, e.At.UTC().Truncate(time.Hour), d.Webhook, d.Type, d.State, s.outcomes[d.ID].word}
	t := s.counts[key]
	if t == nil {
		t = &delivery.Count{}
		s.counts[key] = t
	}
	t.Entries++
	if e.Attempt != nil {
		t.Attempts++
		t.Durations[delivery.PlaceOf(e.Attempt.Duration)]++
	}
}

// Counts implements [delivery.CountStore].
func (s *Store) Counts(
	ctx context.Context, org delivery.OrgID, q delivery.CountQuery,
) ([]delivery.Count, error) {
	if err := s.lock(ctx, "Counts"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	sums := make(map[countKey]delivery.Count)
	for key, one := range s.counts {
		if key.org != org || !counted(key, q) {
			continue
		}
		group := countKey{
			hour:  q.From.Add(key.hour.Sub(q.From).Truncate(max(q.Step, time.Hour))),
			state: key.state, outcome: key.outcome,
		}
		if q.ByWebhook {
			group.webhook = key.webhook
		}
		sum := sums[group]
		sum.At, sum.Webhook, sum.State, sum.Outcome = group.hour, group.webhook, group.state, group.outcome
		sum.Entries += one.Entries
		sum.Attempts += one.Attempts
		sum.Durations.Add(one.Durations)
		sums[group] = sum
	}
	return slices.Collect(maps.Values(sums)), nil
}

// counted reports whether a count passes the query.
func counted(key countKey, q delivery.CountQuery) bool {
	return !key.hour.Before(q.From) && key.hour.Before(q.To) &&
		delivery.Among(q.Webhooks, key.webhook) && delivery.Among(q.Types, key.kind) &&
		delivery.Among(q.States, key.state) && delivery.Among(q.Outcomes, key.outcome)
}

// DiscardCounts implements [delivery.CountStore].
func (s *Store) DiscardCounts(ctx context.Context, t time.Time) (more bool, err error) {
	if err := s.lock(ctx, "DiscardCounts"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	left := portion
	for key := range s.counts {
		if left > 0 && key.hour.Before(t.Truncate(time.Hour)) {
			delete(s.counts, key)
			left--
		}
	}
	return left == 0, nil
}
