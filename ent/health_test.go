package ent

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// The statement that merges must do what pulse.merge does.
func TestHealthIsMergedAlikeInGoAndSQL(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		webhook := delivery.WebhookID(0)
		rapid.Check(t, func(r *rapid.T) {
			webhook++
			want := healthRow{webhook: webhook}
			for range rapid.IntRange(1, 5).Draw(r, "batches") {
				p := healthRow{
					webhook: webhook,
					success: rapid.Int64Range(0, 6).Draw(r, "success"),
					failure: rapid.Int64Range(0, 6).Draw(r, "failure"),
				}
				want = want.merge(p)
				err := s.RecordHealth(t.Context(), []delivery.WebhookHealth{
					{Webhook: webhook, LastSuccessAt: sqldb.TimeOf(p.success), LastFailureAt: sqldb.TimeOf(p.failure)},
				})
				if err != nil {
					r.Fatal(err)
				}
			}
			got, err := s.Health(t.Context(), []delivery.WebhookID{webhook})
			if err != nil || len(got) != 1 {
				r.Fatal(got, err)
			}
			h := got[0]
			stored := healthRow{
				h.Webhook,
				sqldb.Micros(h.LastSuccessAt), sqldb.Micros(h.LastFailureAt), sqldb.Micros(h.FailingSince),
			}
			if stored != want {
				r.Errorf("stored %+v, want %+v", stored, want)
			}
		})
	})
}

func TestHealthOfThousandsIsRecorded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		var all []delivery.WebhookHealth
		var ids []delivery.WebhookID
		for id := delivery.WebhookID(1); id <= 2*chunkSize+1; id++ {
			failed := sqldb.TimeOf(int64(id))
			all = append(all, delivery.WebhookHealth{Webhook: id, LastFailureAt: failed, FailingSince: failed})
			ids = append(ids, id)
		}
		if err := s.RecordHealth(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		got, err := s.Health(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b delivery.WebhookHealth) int { return cmp.Compare(a.Webhook, b.Webhook) })
		if fmt.Sprint(got) != fmt.Sprint(all) {
			t.Errorf("%d entries were stored otherwise than given", len(all))
		}
	})
}
