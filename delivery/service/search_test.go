package service

import (
	"context"
	"testing"
	"time"

	"portalhooks/delivery"
)

// A search that finds nothing ends after a while and says how far it came; going
// on from there it reaches the end of the list, and finds what is there once.
func TestSearchIsBoundedAndGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		var want []delivery.DeliveryID
		for range 5 {
			want = append(r.queued(1, w), want...)
			time.Sleep(30 * 24 * time.Hour)
		}
		r.store.Change(func() { r.store.Took["Deliveries"] = 600 * time.Millisecond }) // a busy database
		f := delivery.DeliveryFilter{Triggers: []delivery.Trigger{delivery.ByEvent}}
		var got []delivery.DeliveryID
		reached, pages := time.Now(), 0
		for p := (delivery.Page{First: 2}); ; pages++ {
			began := time.Now()
			page, err := r.Deliveries(t.Context(), admin, r.org.ID, f, p)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > searchTime+time.Second {
				t.Errorf("a page took %s, want it to end after about %s", took, searchTime)
			}
			for _, d := range page.Items {
				got = append(got, d.ID)
			}
			if pages == 0 && page.SearchedTo.IsZero() {
				t.Error("the first page does not say how far the search came")
			}
			if !page.SearchedTo.IsZero() && !page.SearchedTo.Before(reached) {
				t.Fatalf("page %d searched to %v, want to get further than %v", pages, page.SearchedTo, reached)
			}
			if !page.SearchedTo.IsZero() {
				reached = page.SearchedTo
			}
			if !page.HasNext {
				break
			}
			if p.After = page.End; p.After == "" {
				p.After = page.Cursors[len(page.Cursors)-1]
			}
			r.store.Change(func() { r.store.Took["Deliveries"] = 50 * time.Millisecond })
		}
		if len(got) != len(want) {
			t.Fatalf("found %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("found %v, want %v, newest first", got, want)
			}
		}
	})
}

// A list that is found by an index is one statement, however old what it finds is.
func TestIndexedListIsNotSearched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		id := r.queued(1, w)[0]
		time.Sleep(365 * 24 * time.Hour)
		for name, f := range map[string]delivery.DeliveryFilter{
			"none":    {},
			"states":  {States: []delivery.State{delivery.Queued}},
			"webhook": {Webhooks: []delivery.WebhookID{w.ID}},
		} {
			r.store.Change(func() { r.store.Calls["Deliveries"] = 0 })
			page, err := r.Deliveries(t.Context(), admin, r.org.ID, f, delivery.Page{First: 10})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != id || !page.SearchedTo.IsZero() {
				t.Errorf("%s: got %+v, %v, want the delivery", name, page, err)
			}
			r.store.Change(func() {
				if n := r.store.Calls["Deliveries"]; n != 1 {
					t.Errorf("%s: took %d calls, want one", name, n)
				}
			})
		}
	})
}

// What took too long will take too long again: the caller has to ask for less.
func TestListThatTakesTooLongExceedsALimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.store.Change(func() { r.store.Took["Deliveries"] = time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := r.Deliveries(ctx, admin, r.org.ID, delivery.DeliveryFilter{Text: "x"}, delivery.Page{First: 10})
		if delivery.CodeOf(err) != delivery.LimitExceeded {
			t.Errorf("got %v, want LimitExceeded", err)
		}
	})
}
