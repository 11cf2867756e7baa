package ent

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
)

// deciding begins a change of the plain webhook, which a caller of the returned
// function commits once a statement waits for it, or has ended.
func (r *release) deciding(statements ...string) (commit func(ended chan struct{})) {
	r.t.Helper()
	db := r.store.db.Writer()
	tx, err := db.BeginTx(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(r.t.Context(), statement, int64(r.plain.ID)); err != nil {
			r.t.Fatal(err)
		}
	}
	return func(ended chan struct{}) {
		r.t.Helper()
		for waiting := 0; waiting == 0; {
			if err := db.QueryRowContext(r.t.Context(),
				"SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting); err != nil {
				r.t.Fatal(err)
			}
			select {
			case <-ended:
				waiting = 1
			case <-time.After(time.Millisecond):
			}
		}
		if err := tx.Commit(); err != nil {
			r.t.Fatal(err)
		}
		<-ended
	}
}

// An ingest that began before a change was stored, and ends after it, must not
// hold what the webhook holds no longer: it is told to match again.
func TestAnIngestSeesTheChangeThatItWaitsFor(t *testing.T) {
	t.Parallel()
	r := newRelease(t, openStore(t, enttest.Postgres(t)))
	r.set(r.plain, hold)
	org, webhooks, err := r.store.Config(t.Context(), r.org)
	if err != nil {
		t.Fatal(err)
	}
	commit := r.deciding(
		"UPDATE organization SET config_version = config_version + 1 WHERE id = (SELECT organization_id FROM webhook WHERE id = $1)",
		"UPDATE webhook SET status = 'ENABLED', holding = FALSE WHERE id = $1")
	in := delivery.Ingest{Org: r.org, ConfigVersion: org.ConfigVersion}
	in.Events = append(in.Events, r.event(webhooks))
	ended := make(chan struct{})
	var got []delivery.Ingested
	go func() {
		defer close(ended)
		got, err = r.store.Ingest(t.Context(), r.reporter, time.Hour, []delivery.Ingest{in})
	}()
	commit(ended)
	if err != nil || !got[0].Stale {
		t.Errorf("Ingest gave %+v, %v, want it stale", got, err)
	}
}

// A worker that decided to hold before its webhook was enabled must not hold
// after it.
func TestASettlementSeesTheChangeThatItWaitsFor(t *testing.T) {
	t.Parallel()
	r := newRelease(t, openStore(t, enttest.Postgres(t)))
	r.ingest(1)
	r.set(r.plain, hold)
	jobs, err := r.store.Claim(t.Context(), delivery.ClaimRequest{
		Owner: r.reporter, N: 1, PerWebhook: 1, Lease: time.Hour,
	})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("claimed %d, %v, want one", len(jobs), err)
	}
	d := jobs[0].Delivery
	d.State = delivery.Held
	set := delivery.Settlement{
		Owner: r.reporter, Entry: delivery.LogEntry{ID: delivery.LogID(r.ids.Next()), At: time.Now(), Delivery: d},
	}
	commit := r.deciding("UPDATE webhook SET status = 'ENABLED', holding = FALSE WHERE id = $1")
	ended := make(chan struct{})
	var held []bool
	go func() {
		defer close(ended)
		held, err = r.store.Settle(t.Context(), []delivery.Settlement{set})
	}()
	commit(ended)
	if err != nil || held[0] {
		t.Errorf("Settle gave %v, %v, want that it is not held", held, err)
	}
	found, err := r.store.DeliveriesByID(t.Context(), r.org, []delivery.DeliveryID{d.ID})
	if err != nil || len(found) != 1 || found[0].State != delivery.Queued {
		t.Errorf("the delivery is %+v, %v, want it queued", found, err)
	}
}

// Of two rotations of a secret at once one is told that it did not take place.
func TestOfTwoRotationsOneIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		r := newRelease(t, s)
		results := make(chan error, 2)
		for n := range 2 {
			at := time.Now().Add(time.Duration(n) * time.Hour)
			secret := []delivery.SealedSecret{{Sealed: []byte{byte(n)}, CreatedAt: at}}
			go func() {
				results <- s.SetSecrets(t.Context(), r.org, r.plain.ID, nil, secret, time.Now(), "ada", r.entry())
			}()
		}
		first, second := <-results, <-results
		codes := delivery.CodeOf(first) + delivery.CodeOf(second)
		if (first == nil) == (second == nil) || codes != delivery.Conflict {
			t.Errorf("the rotations gave %v and %v, want one %s", first, second, delivery.Conflict)
		}
	})
}
