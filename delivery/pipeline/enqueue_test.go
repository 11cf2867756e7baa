package pipeline

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"

	"pgregory.net/rapid"
)

// unitOf returns a unit of n events whose keys start with prefix, with fanout
// deliveries each.
func unitOf(org delivery.OrgID, prefix string, n, fanout int) delivery.Ingest {
	unit := delivery.Ingest{Org: org}
	for i := range n {
		unit.Events = append(unit.Events, delivery.NewEvent{
			Key: fmt.Sprint(prefix, i), Deliveries: make([]delivery.Delivery, fanout),
		})
	}
	return unit
}

const (
	urgent = delivery.ActiveAlert
	bulk   = delivery.OperationInWorkspace
)

// handoverOf returns the handover of a unit whose events are of one kind.
func handoverOf(ctx context.Context, unit delivery.Ingest, kind delivery.EventType) *handover {
	for i := range unit.Events {
		unit.Events[i].Event.Type = kind
	}
	return newHandover(ctx, []delivery.Ingest{unit})
}

func TestABatchTakesWhatFits(t *testing.T) {
	for name, tt := range map[string]struct {
		waiting []delivery.Ingest // one handover each
		batch   []int             // which of them are the first batch
	}{
		"all that waits": {
			[]delivery.Ingest{unitOf(1, "a", 1, 0), unitOf(1, "b", 1, 1), unitOf(1, "c", 9, 2)}, []int{0, 1, 2},
		},
		"rows of an organization, not its events": {
			[]delivery.Ingest{unitOf(1, "a", 1, 499), unitOf(1, "b", 1, 499), unitOf(1, "c", 1, 499)}, []int{0, 1},
		},
		"no more rows than a batch": {
			[]delivery.Ingest{
				unitOf(1, "a", 2, 999), unitOf(2, "a", 2, 999), unitOf(3, "a", 2, 999), unitOf(4, "a", 100, 0),
			}, []int{0, 1, 3},
		},
		"an oversized one alone": {[]delivery.Ingest{unitOf(1, "a", 6000, 0), unitOf(2, "b", 1, 0)}, []int{0}},
		"the same fact goes to the next": {
			[]delivery.Ingest{unitOf(1, "a", 3, 0), unitOf(1, "b", 1, 0), unitOf(1, "a", 1, 0)}, []int{0, 1},
		},
		"another organization's key does not": {
			[]delivery.Ingest{unitOf(1, "a", 3, 0), unitOf(2, "a", 3, 0)}, []int{0, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			turns := newTurns()
			// What is left of an earlier batch must not matter.
			turns.choose([]*handover{handoverOf(t.Context(), unitOf(1, "b", bulkRows, 0), bulk)})
			var waiting []*handover
			for _, unit := range tt.waiting {
				waiting = append(waiting, handoverOf(t.Context(), unit, bulk))
			}
			batch, later, _ := turns.choose(slices.Clone(waiting))
			var got []int
			for i, h := range waiting {
				if slices.Contains(batch, h) {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, tt.batch) || len(batch)+len(later) != len(waiting) {
				t.Errorf("batch %v, want %v; %d are left", got, tt.batch, len(later))
			}
		})
	}
}

// A hundred calls of one organization wait when a call of another one comes: it
// is in the next batch.
func TestOrganizationsTakeTurnsInTheGroupCommit(t *testing.T) {
	turns := newTurns()
	var waiting []*handover
	for i := range 100 {
		waiting = append(waiting, handoverOf(t.Context(), unitOf(1, fmt.Sprint("b", i), 1, 999), bulk))
	}
	for n := range 5 {
		h := handoverOf(t.Context(), unitOf(2, fmt.Sprint("a", n), 1, 1), bulk)
		var batch []*handover
		batch, waiting, _ = turns.choose(append(waiting, h))
		if !slices.Contains(batch, h) {
			t.Fatalf("batch %d has %d handovers, but not the other organization's", n, len(batch))
		}
	}
}

// While an organization's reports make many deliveries, the others' short reports
// have every other transaction to themselves, and after a slow one the database.
func TestShortReportsPassBulkyOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		short := func(key string) *handover { return handoverOf(t.Context(), unitOf(2, key, 1, 1), bulk) }
		var waiting []*handover
		for i := range 9 {
			waiting = append(waiting, handoverOf(t.Context(), unitOf(1, fmt.Sprint(i), 1, 1000), bulk))
		}
		choose := func(want ...int) (pause time.Duration) {
			t.Helper()
			var batch []*handover
			batch, waiting, pause = turns.choose(waiting)
			var rows []int
			for _, h := range batch {
				rows = append(rows, h.rows)
			}
			if !slices.Equal(rows, want) {
				t.Fatalf("the batch has handovers of %v rows, want %v", rows, want)
			}
			return pause
		}
		choose(1001)
		turns.stored(time.Minute) // nothing short came: there is no pause
		choose(1001)
		waiting = append(waiting, short("a"), short("b"))
		choose(2, 2)
		choose(1001)
		turns.stored(slowBulk - 1)
		choose(1001)
		turns.stored(slowBulk)
		pause := choose()
		if pause != restFor*slowBulk {
			t.Errorf("a pause of %s, want %s", pause, restFor*slowBulk)
		}
		waiting = append(waiting, short("c"))
		choose(2)
		time.Sleep(pause)
		choose(1001)
		turns.stored(slowBulk)
		time.Sleep(shortFor)
		choose(1001)
		turns.stored(slowBulk) // the latest short one is long ago
		choose(1001)
		waiting = append(waiting, short("d"))
		choose(2)
		choose(1001)
		turns.stored(storeTimeout)
		if pause := choose(); pause != restFor*slowest {
			t.Errorf("a pause of %s after a timeout, want %s", pause, restFor*slowest)
		}
	})
}

// More organizations than a batch has room for each get their share of batches.
func TestNoOrganizationStarvesInTheGroupCommit(t *testing.T) {
	turns := newTurns()
	stored := make(map[delivery.OrgID]int)
	var waiting []*handover
	for n := range 40 {
		for org := delivery.OrgID(1); org <= 10; org++ {
			waiting = append(waiting, handoverOf(t.Context(), unitOf(org, fmt.Sprint(n), 1, 999), bulk))
		}
	}
	for range 20 {
		var batch []*handover
		batch, waiting, _ = turns.choose(waiting)
		for _, h := range batch {
			stored[h.org]++
		}
	}
	for org := delivery.OrgID(1); org <= 10; org++ {
		if stored[org] != 10 {
			t.Errorf("organization %d stored %d of 100 handovers, want 10: %v", org, stored[org], stored)
		}
	}
}

func TestAlertsOvertakeWithinTheirOrganization(t *testing.T) {
	turns := newTurns()
	var waiting []*handover
	for i := range 20 {
		waiting = append(waiting, handoverOf(t.Context(), unitOf(1, fmt.Sprint("o", i), 1, 0), bulk))
	}
	for i := range 20 {
		waiting = append(waiting, handoverOf(t.Context(), unitOf(1, fmt.Sprint("a", i), 1, 0), urgent))
	}
	batch, _, _ := turns.choose(waiting)
	for i, h := range batch[:27] {
		if want := i%9 != 8 && i < 22; h.urgent != want {
			t.Errorf("place %d: an alert %t, want %t", i, h.urgent, want)
		}
	}
}

// What a caller has given up waiting for is not stored behind its back: it was
// told to send it again.
func TestAHandoverWithoutACallerIsDropped(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	h := newHandover(gone, []delivery.Ingest{unitOf(1, "a", 1, 0)})
	if batch, later, _ := newTurns().choose([]*handover{h}); len(batch)+len(later) != 0 {
		t.Errorf("%d stored, %d kept; want neither", len(batch), len(later))
	}
}

// Whatever waits, every handover is stored once, those of one organization and
// one kind in their order.
func TestTurnsModel(t *testing.T) {
	kinds := []delivery.EventType{urgent, bulk}
	rapid.Check(t, func(rt *rapid.T) {
		turns := newTurns()
		var waiting []*handover
		order, stored := make(map[*handover]int), make(map[delivery.OrgID]map[bool]int)
		for n := range rapid.IntRange(1, 60).Draw(rt, "handovers") {
			org := delivery.OrgID(rapid.IntRange(1, 4).Draw(rt, "org"))
			kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
			h := handoverOf(rt.Context(), unitOf(
				org, fmt.Sprint(n%7), rapid.IntRange(1, 3).Draw(rt, "events"), rapid.IntRange(0, 1000).Draw(rt, "fanout"),
			), kind)
			order[h] = n + 1
			waiting = append(waiting, h)
			stored[org] = make(map[bool]int)
		}
		for left := len(waiting); left > 0; {
			var batch []*handover
			batch, waiting, _ = turns.choose(waiting)
			rows, keys := 0, make(map[factKey]bool)
			for _, h := range batch {
				rows += h.rows
				if stored[h.org][h.urgent] > order[h] {
					rt.Fatalf("handover %d after %d", order[h], stored[h.org][h.urgent])
				}
				stored[h.org][h.urgent] = order[h]
				for _, e := range h.units[0].Events {
					if keys[factKey{h.org, e.Key}] {
						rt.Fatalf("the fact %s twice in a batch", e.Key)
					}
					keys[factKey{h.org, e.Key}] = true
				}
			}
			if left -= len(batch); len(batch) == 0 || len(waiting) != left || rows > batchRows && len(batch) > 1 {
				rt.Fatalf("a batch of %d with %d rows, %d of %d left", len(batch), rows, len(waiting), left)
			}
		}
	})
}

// matched returns an ingester for an organization with so many webhooks.
func matched(t *testing.T, webhooks int) *Ingester {
	t.Helper()
	store := memstore.NewFaulty()
	store.OrgRows = []delivery.Organization{deliverytest.Org}
	for i := range webhooks {
		id := delivery.WebhookID(i + 1)
		store.WebhookRows[id] = &delivery.Webhook{
			ID: id, Org: deliverytest.Org.ID, Status: delivery.Enabled, Version: delivery.WebhookVersion{
				Type: delivery.ObjectCreated, Selection: delivery.Selection{All: true}, Listening: true,
			},
		}
	}
	return &Ingester{webhooks: cache.NewWebhooks(store), ids: delivery.NewIDs(0)}
}

func TestParts(t *testing.T) {
	in := func(prefix string, n int) *submission {
		in := &submission{report: &delivery.Report{}, org: deliverytest.Org}
		for i := range n {
			in.facts = append(in.facts, fact{Key: fmt.Sprint(prefix, i), Type: delivery.ObjectCreated})
		}
		return in
	}
	a, b := in("a", 1300), in("b", 300)
	for name, tt := range map[string]struct {
		webhooks int
		waiting  []part
		want     []int // events of each handover
	}{
		"small ones together":          {0, []part{{a, 0, 1}, {b, 0, 1}, {a, 1, 2}}, []int{3}},
		"five hundred rows":            {0, []part{{a, 0, 1300}}, []int{500, 500, 300}},
		"a report is cut":              {0, []part{{a, 0, 300}, {b, 0, 300}}, []int{500, 100}},
		"deliveries count":             {4, []part{{a, 0, 300}}, []int{100, 100, 100}},
		"a part may be one event":      {1000, []part{{a, 0, 3}}, []int{1, 1, 1}},
		"a repeat waits":               {0, []part{{a, 0, 1}, {b, 0, 1}, {a, 0, 1}}, []int{2, 1}},
		"a repeat within one waits":    {0, []part{{a, 0, 2}, {a, 1, 3}}, []int{2, 2}},
		"an event is kept in one part": {350, []part{{a, 0, 4}}, []int{2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			g := matched(t, tt.webhooks)
			var got []int
			for waiting := slices.Clone(tt.waiting); len(waiting) > 0; {
				parts, units, rest, err := g.match(t.Context(), waiting)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for i := range units {
					n += len(units[i].Events)
					if parts[i].to-parts[i].from != len(units[i].Events) {
						t.Errorf("part %+v has %d events", parts[i], len(units[i].Events))
					}
				}
				got, waiting = append(got, n), rest
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("handovers of %v events, want %v", got, tt.want)
			}
		})
	}
}

func TestPartsOfOrganizationsAlternate(t *testing.T) {
	in := func(org delivery.OrgID) part {
		return part{&submission{org: delivery.Organization{ID: org}}, 0, 1}
	}
	var got []delivery.OrgID
	for _, p := range alternate([]part{in(1), in(1), in(1), in(2), in(3), in(2)}) {
		got = append(got, p.org.ID)
	}
	if want := []delivery.OrgID{1, 2, 3, 1, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("in the order %v, want %v", got, want)
	}
}
