package service

import (
	"context"
	"testing"

	"portalhooks/delivery"
)

// Subscribers that share a view of the log, but filter by the events or belong to
// another organization, each see their own entries.
func TestSubscribersThatShareAViewSeeTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		for name, tt := range map[string]struct {
			caller delivery.Caller
			in     delivery.WatchInput
			want   bool
		}{
			"all of the organization": {viewer, delivery.WatchInput{Org: 1}, true},
			"one item's":              {viewer, delivery.WatchInput{Org: 1, Filter: delivery.DeliveryFilter{Text: "disk"}}, true},
			"another item's":          {viewer, delivery.WatchInput{Org: 1, Filter: delivery.DeliveryFilter{Text: "printer"}}, false},
			"another organization":    {otherAdmin, delivery.WatchInput{Org: 2}, false},
			"every organization":      {operator, delivery.WatchInput{}, true},
		} {
			ctx, end := context.WithCancel(t.Context())
			defer end()
			items, err := r.Watch(ctx, tt.caller, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			<-items // the first cursor
			defer func() {
				if item := <-items; (item.Entry != nil) != tt.want {
					t.Errorf("%s: got %+v, want an entry: %v", name, item, tt.want)
				}
			}()
		}
		r.ingest(1, w)
	})
}
