package service

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

// countsKept is for how long tallies are kept: the longest window, and the rest
// of the day in which it begins.
const countsKept = 91 * 24 * time.Hour

// A StatsWindow is the stretch of time up to now that statistics are about.
type StatsWindow string

// The windows.
const (
	Last24Hours StatsWindow = "LAST_24_HOURS"
	Last7Days   StatsWindow = "LAST_7_DAYS"
	Last30Days  StatsWindow = "LAST_30_DAYS"
	Last90Days  StatsWindow = "LAST_90_DAYS"
)

// steps returns how a window is cut.
func (w StatsWindow) steps() (n int, step time.Duration) {
	switch w {
	case Last7Days:
		return 28, 6 * time.Hour
	case Last30Days:
		return 30, 24 * time.Hour
	case Last90Days:
		return 90, 24 * time.Hour
	}
	return 24, time.Hour
}

// span returns where the steps of a window begin and end at the given time. The
// last one is not over.
func (w StatsWindow) span(now time.Time) (from, to time.Time) {
	n, step := w.steps()
	to = now.UTC().Truncate(step).Add(step)
	return to.Add(-time.Duration(n) * step), to
}

// Counts says what became of deliveries, and how long their attempts took.
type Counts struct {
	Delivered, Failed, Canceled int64 // deliveries that ended so
	Attempts                    int64
	Durations                   delivery.Durations // of the attempts
}

func (c *Counts) add(t *delivery.Count) {
	switch t.State {
	case delivery.Delivered:
		c.Delivered += t.Entries
	case delivery.Failed:
		c.Failed += t.Entries
	case delivery.Canceled:
		c.Canceled += t.Entries
	}
	c.Attempts += t.Attempts
	c.Durations.Add(t.Durations)
}

// SuccessShare returns which share of the deliveries that were not canceled was
// accepted, from 0 to 1; false when there are none.
func (c Counts) SuccessShare() (float64, bool) {
	ended := c.Delivered + c.Failed
	if ended == 0 {
		return 0, false
	}
	return float64(c.Delivered) / float64(ended), true
}

// Stats are the counts of a window.
type Stats struct {
	From, To time.Time // To is later than now: the last bucket is not over
	Total    Counts
	Outcomes []OutcomeCount // of attempts, the most frequent first
	Buckets  []StatsBucket  // oldest first, without gaps
}

// An OutcomeCount says how many attempts ended in one way.
type OutcomeCount struct {
	Outcome  delivery.Outcome
	Attempts int64
}

// A StatsBucket has the counts of one step of a window.
type StatsBucket struct {
	From, To time.Time
	Counts   Counts
}

// DeliveryStats counts what became of the organization's deliveries in a window
// up to now, without looking at the deliveries: it takes as long however many
// there were. A filter that the counts can't answer is Invalid. NotFound where
// the caller may not see org.
func (s *Service) DeliveryStats(
	ctx context.Context, c delivery.Caller, org delivery.OrgID, w StatsWindow, f delivery.DeliveryFilter,
) (*Stats, error) {
	if err := c.CheckRead(org); err != nil {
		return nil, err
	}
	if err := checkCountable(f); err != nil {
		return nil, err
	}
	if _, err := bounded(f); err != nil {
		return nil, err
	}
	from, to := w.span(time.Now())
	_, step := w.steps()
	tallies, err := s.store.Counts(ctx, org, delivery.CountQuery{
		From: from, To: to, Step: step,
		Webhooks: f.Webhooks, Types: f.Types, States: f.States, Outcomes: f.Outcomes,
	})
	if err != nil {
		return nil, fmt.Errorf("count deliveries: %w", err)
	}
	return newStats(from, to, step, tallies), nil
}

func newStats(from, to time.Time, step time.Duration, tallies []delivery.Count) *Stats {
	stats := &Stats{From: from, To: to}
	for at := from; at.Before(to); at = at.Add(step) {
		stats.Buckets = append(stats.Buckets, StatsBucket{From: at, To: at.Add(step)})
	}
	attempts := map[delivery.Outcome]int64{}
	for i := range tallies {
		t := &tallies[i]
		bucket := &stats.Buckets[int(t.At.Sub(from)/step)]
		bucket.Counts.add(t)
		stats.Total.add(t)
		if t.Attempts > 0 && t.Outcome != "" { // a newer version's words are not known
			attempts[t.Outcome] += t.Attempts
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(attempts)) {
		stats.Outcomes = append(stats.Outcomes, OutcomeCount{outcome, attempts[outcome]})
	}
	slices.SortStableFunc(stats.Outcomes, func(a, b OutcomeCount) int {
		return cmp.Compare(b.Attempts, a.Attempts)
	})
	return stats
}

// checkCountable refuses conditions that tallies know nothing of.
func checkCountable(f delivery.DeliveryFilter) error {
	field := ""
	switch {
	case slices.ContainsFunc(f.States, func(s delivery.State) bool { return !s.Final() }):
		return delivery.Errorf(delivery.Invalid, "filter.states",
			"Statistics are about deliveries that are over: ask for DELIVERED, FAILED or CANCELED ones.")
	case f.StatusFrom > 0 || f.StatusTo > 0:
		field = "filter.httpStatus"
	case len(f.Triggers) > 0:
		field = "filter.triggers"
	case f.Event != 0:
		field = "filter.eventId"
	case f.Group != "":
		field = "filter.groupId"
	case f.Item != 0:
		field = "filter.itemId"
	case f.WorkspaceID != "":
		field = "filter.workspaceId"
	case !f.After.IsZero():
		field = "filter.createdAfter"
	case !f.Before.IsZero():
		field = "filter.createdBefore"
	case f.Text != "":
		field = "filter.text"
	default:
		return nil
	}
	return delivery.Errorf(
		delivery.Invalid,
		field,
		"Statistics can be narrowed by webhookIds, eventTypes, states and outcomes "+
			"only. The window says from when on to count.",
	)
}

// WebhookCounts returns what became of each webhook's deliveries in the current
// hour and the 23 before; nothing for webhooks that the caller may not see.
func (s *Service) WebhookCounts(
	ctx context.Context, c delivery.Caller, webhooks []*delivery.Webhook,
) ([]Counts, error) {
	from, to := Last24Hours.span(time.Now())
	byWebhook := map[delivery.WebhookID]*Counts{}
	byOrg := map[delivery.OrgID][]delivery.WebhookID{}
	for _, w := range webhooks {
		if w != nil && byWebhook[w.ID] == nil && c.CheckRead(w.Org) == nil {
			byWebhook[w.ID] = &Counts{}
			byOrg[w.Org] = append(byOrg[w.Org], w.ID)
		}
	}
	for org, ids := range byOrg {
		tallies, err := s.store.Counts(ctx, org, delivery.CountQuery{
			From: from, To: to, Step: to.Sub(from), ByWebhook: true, Webhooks: ids,
		})
		if err != nil {
			return nil, fmt.Errorf("count deliveries of webhooks: %w", err)
		}
		for i := range tallies {
			byWebhook[tallies[i].Webhook].add(&tallies[i])
		}
	}
	counts := make([]Counts, len(webhooks))
	for i, w := range webhooks {
		if w != nil && byWebhook[w.ID] != nil {
			counts[i] = *byWebhook[w.ID]
		}
	}
	return counts, nil
}
