package service

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/pipeline"
)

func TestResultsThatArriveTogetherShareATransaction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 200, Concurrency: 200}, nil)
		r.store.Took["Settle"] = 50 * time.Millisecond
		w := r.webhook(okURL)
		r.start()
		r.ingest(1000, w)
		time.Sleep(900 * time.Millisecond) // less than a poll
		r.wantStates(map[delivery.State]int{delivery.Delivered: 1000})
		r.store.Change(func() {
			if n := r.store.Calls["Settle"]; n > 12 {
				t.Errorf("%d transactions for 1000 results, want few", n)
			}
			var last delivery.LogID
			for _, e := range r.store.LogRows {
				if e.ID <= last {
					t.Fatalf("entry %d was committed after %d", e.ID, last)
				}
				last = e.ID
			}
		})
	})
}

// A result that the database refuses costs nothing but itself: first it is
// stored without what the receiver said, and only then as a failure.
func TestAPoisonedResultIsStoredAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		poison func(*delivery.Settlement) bool
		want   delivery.State // "" for no entry at all
		says   string
		counts float64 // of results that could not be stored
	}{
		"by the response": {
			poison: func(s *delivery.Settlement) bool { return s.Entry.Attempt.ResponseBody != "" },
			want:   delivery.Delivered,
		},
		"by the status": {
			poison: func(s *delivery.Settlement) bool { return s.Entry.Attempt.HTTPStatus == 202 },
			want:   delivery.Failed, says: "refused to store", counts: 1,
		},
		"whatever it has": {
			poison: func(*delivery.Settlement) bool { return false }, // but by the webhook
			counts: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Options{}, answers{badURL: poisonous})
				bad, good := r.webhook(badURL), r.webhook(okURL)
				r.store.Poison = func(s *delivery.Settlement) bool {
					return tt.poison(s) || tt.want == "" && s.Entry.Delivery.Webhook == bad.ID
				}
				r.start()
				fine, poisoned := r.ingest(40, good), r.ingest(1, bad)
				time.Sleep(20*time.Second + 500*time.Millisecond)
				for _, id := range fine {
					if log := r.entries(id); len(log) != 1 || log[0].Delivery.State != delivery.Delivered {
						t.Fatalf("log of a good delivery %+v, want DELIVERED", log)
					}
				}
				log := r.entries(poisoned[0])
				if (len(log) == 1) != (tt.want != "") || len(log) > 1 {
					t.Fatalf("log of the poisoned one %+v, want one entry, %q", log, tt.want)
				}
				if len(log) == 1 && (log[0].Delivery.State != tt.want || log[0].Attempt.ResponseBody != "" ||
					!strings.Contains(log[0].Attempt.Error, tt.says)) {
					t.Errorf("%s with the attempt %+v, want %s without the response", log[0].Delivery.State,
						log[0].Attempt, tt.want)
				}
				if n := r.counted("results_unstorable_total"); n != tt.counts {
					t.Errorf("%v results were counted as unstorable, want %v", n, tt.counts)
				}
				if held := r.pipeline.Dispatcher.Held(); held != 0 {
					t.Errorf("%d deliveries are left in memory", held)
				}
			})
		})
	}
}

func TestALateResultIsFenced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{okURL: slow(5 * time.Second)})
		w := r.webhook(okURL)
		r.start()
		id := r.ingest(1, w)[0]
		time.Sleep(time.Second)
		other := delivery.Owner{Slot: 3, Epoch: 9}
		r.takeOver(id, other)
		time.Sleep(10 * time.Second)
		if log := r.entries(id); len(log) != 0 {
			t.Errorf("log %+v, want none", log)
		}
		if n := r.counted("settles_fenced_total"); n != 1 {
			t.Errorf("%v fenced settles counted, want 1", n)
		}
	})
}

// takeOver leases a delivery to another server.
func (r *rig) takeOver(id delivery.DeliveryID, other delivery.Owner) {
	r.t.Helper()
	if n, err := r.store.Release(r.t.Context(), r.opts.Owner, []delivery.DeliveryID{id}, 0); n != 1 ||
		err != nil {
		r.t.Fatalf("Release gave %d, %v, want 1", n, err)
	}
	jobs, err := r.store.Claim(r.t.Context(), delivery.ClaimRequest{
		Owner: other, N: 1, PerWebhook: 1, Lease: time.Minute,
	})
	if err != nil || len(jobs) != 1 || jobs[0].Delivery.ID != id {
		r.t.Fatalf("Claim gave %+v, %v, want %s", jobs, err, id)
	}
}

// No caller waits forever for a result that the settler can't store.
func TestAwaitEndsWithTheSettler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		stop := r.start()
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.pipeline.Settler.Settle(t.Context(), delivery.Settlement{}); !errors.Is(
			err, pipeline.ErrStopping,
		) {
			t.Errorf("await = %v, want errStopping", err)
		}
	})
}

func TestTheOtherProcessesAreTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		r.ingest(1, w)
		synctest.Wait()
		r.store.Change(func() {
			if r.store.Notified != 1 {
				t.Errorf("notified %d times, want once", r.store.Notified)
			}
		})
	})
}
