package service

import (
	"errors"
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/test/faults"
)

// An outage is something that the database can't do for a while.
type outage struct {
	fault func(r *rig, on bool)
}

var errAway = delivery.Errorf(delivery.Unavailable, "", "The database does not answer.")

func outages() map[string]outage {
	failing := func(methods ...string) func(r *rig, on bool) {
		return func(r *rig, on bool) {
			r.store.Change(func() {
				r.store.Fail = nil
				if on {
					r.store.Fail = func(method string) error {
						if slices.Contains(methods, method) {
							return errors.New("could not extend file: No space left on device (53100)")
						}
						return nil
					}
				}
			})
		}
	}
	return map[string]outage{
		"the database is away": {func(r *rig, on bool) {
			r.store.Change(func() {
				r.store.Down = nil
				if on {
					r.store.Down = errAway
				}
			})
		}},
		"the database is read-only": {
			failing("Settle", "Claim", "Ingest", "Release", "Heartbeat", "Reap", "RecordHealth"),
		},
		"the disk of the log is full": {failing("Settle")},
	}
}

// The database can do less for ten minutes, which is ten times longer than a
// lease, while calls are in flight and their results wait. Three servers share it,
// one of them idle, and none dies. Nothing is lost, and nothing is sent twice.
func TestTortureOutageOfTheDatabase(t *testing.T) {
	for name, o := range outages() {
		t.Run(name, func(t *testing.T) { bubble(t, func(t *testing.T) { o.test(t, name) }) })
	}
}

func (o outage) test(t *testing.T, name string) {
	const long = 10 * time.Minute
	n := faults.Rounds(300, 3000)
	answers := answers{okURL: slow(5 * time.Second)}
	first := newRig(t, Options{}, answers)
	second := rigOver(t, first.store, Options{Owner: delivery.Owner{Slot: 1, Epoch: 2}}, answers)
	idle := rigOver(t, first.store, Options{Owner: delivery.Owner{Slot: 2, Epoch: 3}}, answers)
	w := first.webhook(okURL)
	first.start()
	second.start()
	idle.start()
	time.Sleep(2 * delivery.SlotTTL)
	ids := append(first.ingest(n, w), second.ingest(n/10, w)...)
	time.Sleep(8 * time.Second)
	o.fault(first, true)
	time.Sleep(long)
	during := len(first.sent()) + len(second.sent()) + len(idle.sent())
	o.fault(first, false)
	back := time.Now()
	for limit := time.Now().Add(time.Hour); first.unsettled() && time.Now().Before(limit); {
		time.Sleep(time.Second)
	}
	took := time.Since(back)
	first.wantStates(map[delivery.State]int{delivery.Delivered: len(ids)})
	first.sentOnce(ids, first.sent(), second.sent(), idle.sent())
	for _, r := range []*rig{first, second, idle} {
		if fenced := r.counted("settles_fenced_total"); fenced > 0 {
			t.Errorf("%v results came too late, although all servers lived", fenced)
		}
		if lost := r.counted("results_unstorable_total"); lost > 0 {
			t.Errorf("%v results were given up", lost)
		}
	}
	if during == 0 || during == len(ids) {
		t.Errorf("%d of %d calls before the end of the outage: the test proves nothing", during, len(ids))
	}
	faults.Result{
		Fault: name + " for 10 minutes, three servers", Rounds: len(ids), Recovery: took,
		Note: "every result was kept; recovery: until a receiver that takes 5 s for a call has had all",
	}.Report(t)
}

// A server that serves already waits for the database to take its first change: the
// disk that was full when it started has room again.
func TestAServerThatStartsOnAFullDiskWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		full := true
		r.store.Fail = func(method string) error {
			if full && method == "Release" {
				return errAway
			}
			return nil
		}
		stop := r.start()
		time.Sleep(30 * time.Second)
		r.store.Change(func() { full = false })
		time.Sleep(3 * time.Second)
		ids := r.ingest(10, w)
		time.Sleep(time.Second)
		r.sentOnce(ids, r.sent())
		if err := stop(); err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// A server starts in the slot of one whose clock was ahead. Its ids go on after all
// that the other has given, also where the log has no entry yet.
func TestIDsFollowThoseOfAnEarlierServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const ahead = time.Hour
		earlier := newRig(t, Options{}, nil)
		w := earlier.webhook(okURL)
		earlier.ids.Follow(int64(delivery.IDAt[delivery.LogID](time.Now().Add(ahead))))
		held := earlier.queued(1, w)[0] // an event and a delivery, and nothing in the log
		r := rigOver(t, earlier.store, Options{Owner: delivery.Owner{Epoch: 2}}, nil)
		r.start()
		time.Sleep(time.Second)
		for _, id := range r.ingest(3, w) {
			if id <= held {
				t.Errorf("%s comes after %s, which was given already", id, held)
			}
		}
	})
}

// A server that has been silent for so long that another may have its slot makes no
// more events.
func TestASilentServerStoresNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		r.ingest(1, w)
		r.store.Change(func() {
			r.store.Fail = func(method string) error {
				if method == "Heartbeat" {
					return errAway
				}
				return nil
			}
		})
		time.Sleep(delivery.SlotTTL + heartbeatPause)
		_, err := r.pipeline.Ingester.Enqueue(t.Context(), []delivery.Ingest{{
			Org: r.org.ID, ConfigVersion: r.org.ConfigVersion, Events: []delivery.NewEvent{r.event(w)},
		}})
		if delivery.CodeOf(err) != delivery.Unavailable {
			t.Errorf("Enqueue gave %v, want UNAVAILABLE", err)
		}
		r.store.Change(func() {
			if n := len(r.store.EventRows); n != 1 {
				t.Errorf("%d events are stored, want the one from before", n)
			}
		})
	})
}

// A server that has just started declares no other dead for a lease that has
// ended: the database may have been away until now.
func TestTortureAServerStartsRightAfterAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		answers := answers{okURL: slow(5 * time.Second)}
		first := newRig(t, Options{}, answers)
		w := first.webhook(okURL)
		first.start()
		ids := first.ingest(20, w)
		time.Sleep(time.Second)
		first.store.Change(func() { first.store.Dead[rigOwner] = true })
		time.Sleep(time.Minute)
		second := rigOver(t, first.store, Options{Owner: delivery.Owner{Slot: 1, Epoch: 2}}, answers)
		second.start()
		time.Sleep(time.Second)
		first.store.Change(func() { delete(first.store.Dead, rigOwner) })
		time.Sleep(5 * time.Minute)
		first.wantStates(map[delivery.State]int{delivery.Delivered: len(ids)})
		first.sentOnce(ids, first.sent(), second.sent())
	})
}
