package pipeline

import (
	"fmt"
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

// unitOf returns a unit of n events whose keys start with prefix.
func unitOf(org delivery.OrgID, prefix string, n int) delivery.Ingest {
	unit := delivery.Ingest{Org: org}
	for i := range n {
		unit.Events = append(unit.Events, delivery.NewEvent{Key: fmt.Sprint(prefix, i)})
	}
	return unit
}

func TestABatchTakesWhatFits(t *testing.T) {
	for name, tt := range map[string]struct {
		waiting []delivery.Ingest // one handover each
		batch   int               // how many of them are the first batch
	}{
		"all that waits":         {[]delivery.Ingest{unitOf(1, "a", 1), unitOf(1, "b", 1), unitOf(1, "c", 9)}, 3},
		"no more than a batch":   {[]delivery.Ingest{unitOf(1, "a", 4000), unitOf(1, "b", 900), unitOf(1, "c", 200)}, 2},
		"an oversized one alone": {[]delivery.Ingest{unitOf(1, "a", 6000), unitOf(1, "b", 1)}, 1},
		"the same fact goes to the next": {
			[]delivery.Ingest{unitOf(1, "a", 3), unitOf(1, "b", 1), unitOf(1, "a", 1)}, 2,
		},
		"another organization's key does not": {[]delivery.Ingest{unitOf(1, "a", 3), unitOf(2, "a", 3)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnqueuer(nil, nil, Options{}, nil, nil)
			// What is left of an earlier batch must not matter.
			e.admit(&handover{units: []delivery.Ingest{unitOf(1, "c", 4999), unitOf(1, "b", 1)}}, true)
			batch := 0
			for i, unit := range tt.waiting {
				if !e.admit(&handover{units: []delivery.Ingest{unit}}, i == 0) {
					break
				}
				batch++
			}
			if batch != tt.batch {
				t.Errorf("%d in the batch, want %d", batch, tt.batch)
			}
		})
	}
}

func TestPortionNeverHasAFactTwice(t *testing.T) {
	in := func(prefix string, n int) *submission {
		in := &submission{org: deliverytest.Org}
		for i := range n {
			in.facts = append(in.facts, fact{Key: fmt.Sprint(prefix, i)})
		}
		return in
	}
	a, b := in("a", 600), in("b", 600)
	for name, tt := range map[string]struct {
		parts []part
		want  int
	}{
		"small ones together":     {[]part{{a, 0, 1}, {b, 0, 1}, {a, 1, 2}}, 3},
		"about a thousand events": {[]part{{a, 0, 600}, {b, 0, 600}}, 1},
		"a repeat waits":          {[]part{{a, 0, 1}, {b, 0, 1}, {a, 0, 1}}, 2},
	} {
		if got := portion(tt.parts); got != tt.want {
			t.Errorf("%s: %d parts, want %d", name, got, tt.want)
		}
	}
}
