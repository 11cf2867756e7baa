package service

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
)

func TestWindowsEndWithTheCurrentStep(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 13, 14, 15, 0, time.FixedZone("", 2*3600)) // 11:14:15 UTC
	for w, want := range map[StatsWindow]struct{ from, to time.Time }{
		Last24Hours: {time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)},
		Last7Days:   {time.Date(2026, 2, 25, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)},
		Last30Days:  {time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)},
		Last90Days:  {time.Date(2025, 12, 5, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)},
	} {
		from, to := w.span(now)
		n, _ := w.steps()
		stats := newStats(from, to, to.Sub(from)/time.Duration(n), nil)
		if !from.Equal(want.from) || !to.Equal(want.to) || len(stats.Buckets) != n {
			t.Errorf("%s is %s to %s in %d buckets, want %s to %s in %d",
				w, from, to, len(stats.Buckets), want.from, want.to, n)
		}
		if now.Sub(from) > countsKept {
			t.Errorf("%s begins when its counts are discarded already", w)
		}
	}
}

func TestQuantilesLieInTheirClass(t *testing.T) {
	t.Parallel()
	var d delivery.Durations
	if got, ok := d.Quantile(0.5); ok {
		t.Errorf("the median of nothing is %s", got)
	}
	for ms := range 1000 { // evenly spread: the true quantiles are known
		d[delivery.PlaceOf(time.Duration(ms)*time.Millisecond)]++
	}
	for share, want := range map[float64]time.Duration{
		0: 0, 0.001: time.Millisecond, 0.25: 250 * time.Millisecond, 0.5: 500 * time.Millisecond,
		1: 1024 * time.Millisecond,
	} {
		got, ok := d.Quantile(share)
		if diff := (got - want).Abs(); !ok || diff > 2*time.Millisecond {
			t.Errorf("the quantile %v is %s, want about %s", share, got, want)
		}
	}
	endless := delivery.Durations{len(d) - 1: 5}
	if got, ok := endless.Quantile(0.95); !ok || got != 32768*time.Millisecond {
		t.Errorf("of attempts that took too long the quantile is %s, %t", got, ok)
	}
}

func TestStatsTellWhatBecameOfDeliveries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Poll: time.Minute}, answers{badURL: status(500)})
		good, bad := r.webhook(okURL), r.webhook(badURL)
		r.start()
		r.ingest(3, good)
		r.ingest(3, bad)
		synctest.Wait()
		reader := delivery.Caller{
			Name:   "x",
			Grants: map[delivery.OrgID]delivery.Role{good.Org: delivery.ViewerRole},
		}
		stats, err := r.DeliveryStats(t.Context(), reader, good.Org, Last24Hours, delivery.DeliveryFilter{})
		if err != nil {
			t.Fatal(err)
		}
		last := stats.Buckets[len(stats.Buckets)-1].Counts
		if stats.Total != last || last.Delivered != 3 || last.Attempts != 6 {
			t.Errorf("the last hour has %+v of %+v, want 3 delivered by 6 attempts, and all",
				last, stats.Total)
		}
		counts, err := r.WebhookCounts(t.Context(), reader, []*delivery.Webhook{&bad, nil, &good, &good})
		if err != nil || counts[0].Delivered != 0 || counts[0].Attempts != 3 || counts[1].Attempts != 0 ||
			counts[2].Delivered != 3 || counts[3] != counts[2] {
			t.Errorf("the webhooks have %+v, %v", counts, err)
		}
		otherAdmin := delivery.Caller{
			Name:   "x",
			Grants: map[delivery.OrgID]delivery.Role{good.Org + 1: delivery.Admin},
		}
		if counts, err = r.WebhookCounts(t.Context(), otherAdmin, []*delivery.Webhook{&good}); err != nil ||
			counts[0] != (Counts{}) {
			t.Errorf("another organization's admin is told %+v, %v", counts, err)
		}
	})
}

func TestStatsRefuseWhatTheyCannotTell(t *testing.T) {
	t.Parallel()
	for field, f := range map[string]delivery.DeliveryFilter{
		"filter.states": {States: []delivery.State{delivery.Failed, delivery.Retrying}}, "filter.httpStatus": {StatusTo: 499},
		"filter.triggers": {Triggers: []delivery.Trigger{delivery.ByEvent}}, "filter.eventId": {Event: 1},
		"filter.groupId": {Group: "g"},
		"filter.itemId":  {Item: 1}, "filter.workspaceId": {WorkspaceID: "w"}, "filter.createdAfter": {After: delivery.Now()},
		"filter.createdBefore": {Before: delivery.Now()}, "filter.text": {Text: "x"},
	} {
		err, ok := errors.AsType[*delivery.Error](checkCountable(f))
		if !ok || err.Code != delivery.Invalid || err.Field != field {
			t.Errorf("%s is refused with %+v, want INVALID of it", field, err)
		}
	}
	possible := delivery.DeliveryFilter{
		Webhooks: []delivery.WebhookID{
			1,
		}, Types: []delivery.EventType{delivery.ActiveAlert},
		States:   []delivery.State{delivery.Delivered, delivery.Failed, delivery.Canceled},
		Outcomes: []delivery.Outcome{delivery.RuleFailed},
	}
	if err := checkCountable(possible); err != nil {
		t.Errorf("what is possible is refused with %v", err)
	}
}
