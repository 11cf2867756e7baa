package delivery

import (
	"context"
	"sync/atomic"
	"time"
)

// errStopping is for callers who come while the service stops.
var errStopping = Errorf(Unavailable, "", "The server is stopping. Try again in a moment.")

const (
	settleSize = 1000 // settlements in one transaction
	// A result that can't be stored although the database answers is tried this
	// often, then without what the receiver answered, then given up.
	settleTries = 4
	settlePause = 50 * time.Millisecond // after the first failure; doubles
	settleWait  = 2 * time.Second       // at most, between tries
	// settleFlush is how long results may wait for the database when the
	// service stops. What is not stored by then is sent again by another
	// process.
	settleFlush = 20 * time.Second
)

// A settling is something for the settler: a result to store, or deliveries to
// give back.
type settling struct {
	Settlement

	release []DeliveryID  // deliveries to give back; then there is no settlement
	pause   time.Duration // until they are due
	turn    *turnTaken    // with a result that the next of its webhook waits for
	room    int           // deliveries that leave this process's memory
	gone    string        // the URL that answered 410
	done    chan<- settled
}

// A turnTaken is a task that ends its turn when its result is stored.
type turnTaken struct {
	task   task
	report report
}

// settled is what the settler reports of one settling.
type settled struct {
	Entry LogEntry
	OK    bool // false when somebody else settled the attempt, or it could not be stored
}

// A settler stores results. One goroutine takes whatever has arrived while it
// stored the batch before. Because it alone gives the entries of the log their
// ids, right before they are committed, the entries of one process are in the
// order of their ids for everybody who reads the log.
type settler struct {
	s     *Service
	in    chan settling
	ended chan struct{} // closed when Run has returned
	stuck atomic.Bool   // whether results wait for the database
}

func newSettler(s *Service) *settler {
	return &settler{s: s, in: make(chan settling, settleSize), ended: make(chan struct{})}
}

// submit hands something over. It blocks while the settler is behind, which
// keeps the workers from making more. When the settler has given up, because
// the database was away for too long at the end, the item is dropped: the
// delivery is due again when its lease ends.
func (t *settler) submit(item settling) {
	select {
	case t.in <- item:
	case <-t.ended:
		t.s.dispatcher.here.remove(item.Entry.Delivery.ID)
		t.s.dispatcher.Unreserve(item.room)
	}
}

// await hands a result over and waits until it is stored. Unlike submit it may
// be called at any time.
func (t *settler) await(ctx context.Context, item settling) (settled, error) {
	done := make(chan settled, 1)
	item.done = done
	select {
	case t.in <- item:
	case <-t.ended:
		return settled{}, errStopping
	case <-ctx.Done():
		return settled{}, ctx.Err()
	}
	select {
	case result := <-done:
		return result, nil
	case <-t.ended:
		return settled{}, errStopping
	case <-ctx.Done():
		return settled{}, ctx.Err()
	}
}

// release hands over deliveries to give back, due after the pause.
func (t *settler) release(ids []DeliveryID, pause time.Duration) {
	t.submit(settling{release: ids, pause: pause})
}

// Run stores results until ctx ends, and then those that were handed over
// before. Whoever calls submit or release has to end first.
func (t *settler) Run(ctx context.Context) error {
	defer close(t.ended)
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	unhook := context.AfterFunc(ctx, func() {
		sleep(stopping, settleFlush)
		stop()
	})
	defer unhook()
	for {
		select {
		case first := <-t.in:
			t.store(stopping, t.gather(first))
		case <-ctx.Done():
			for len(t.in) > 0 {
				t.store(stopping, t.gather(<-t.in))
			}
			return nil
		}
	}
}

// gather returns first and what else has arrived.
func (t *settler) gather(first settling) []settling {
	batch := append(make([]settling, 0, min(1+len(t.in), settleSize)), first)
	for len(batch) < settleSize {
		select {
		case item := <-t.in:
			batch = append(batch, item)
		default:
			return batch
		}
	}
	return batch
}

// store stores a batch and then tells everybody whom it concerns.
func (t *settler) store(ctx context.Context, batch []settling) {
	released := make(map[time.Duration][]DeliveryID)
	results := make([]settling, 0, len(batch))
	for _, item := range batch {
		if item.release != nil {
			released[item.pause] = append(released[item.pause], item.release...)
			continue
		}
		results = append(results, item)
	}
	if len(results) > 0 {
		t.finish(ctx, results, t.settle(ctx, results))
	}
	for pause, ids := range released {
		t.giveBack(ctx, ids, pause)
	}
}

// settle stores results, however long it takes, and reports for each whether it
// is in the log now. Where the database works but refuses the batch it stores
// the halves, so that only the result that is at fault is lost.
func (t *settler) settle(ctx context.Context, results []settling) []bool {
	pause := settlePause
	defer t.stuck.Store(false)
	for try := 1; ; try++ {
		oks, err := t.commit(ctx, results)
		if err == nil {
			return oks
		}
		t.stuck.Store(true)
		t.s.metrics.failed("settle")
		t.s.log.WarnContext(ctx, "settle deliveries", "count", len(results), "try", try, "err", err)
		if ctx.Err() != nil {
			return make([]bool, len(results))
		}
		if t.s.store.Ping(ctx) != nil {
			try = 0 // the database is away, which says nothing about the results
		} else if try >= 2 && len(results) > 1 {
			half := len(results) / 2
			return append(t.settle(ctx, results[:half]), t.settle(ctx, results[half:])...)
		}
		switch {
		case try == settleTries:
			strip(&results[0])
		case try > settleTries:
			t.s.log.ErrorContext(ctx, "give up a result", "delivery", results[0].Entry.Delivery.ID, "err", err)
			return make([]bool, len(results))
		}
		if !sleep(ctx, pause) {
			return make([]bool, len(results))
		}
		pause = min(2*pause, settleWait)
	}
}

// strip takes what the receiver answered from a result that can't be stored.
func strip(item *settling) {
	if item.Entry.Attempt == nil {
		return
	}
	a := *item.Entry.Attempt
	a.ResponseBody, a.ResponseHeaders, a.ResponseTruncated = "", nil, a.ResponseBytes > 0
	item.Entry.Attempt = &a
}

// commit makes one transaction.
func (t *settler) commit(ctx context.Context, results []settling) ([]bool, error) {
	began := time.Now()
	batch := make([]Settlement, len(results))
	for i := range results {
		if results[i].Entry.ID == 0 { // a batch that is tried again keeps its ids
			results[i].Entry.ID = LogID(t.s.ids.Next())
		}
		batch[i] = results[i].Settlement
	}
	oks, err := t.s.store.Settle(ctx, batch)
	if err == nil {
		t.s.metrics.settleBatch(len(results), time.Since(began))
	}
	return oks, err
}

// finish tells of results that are stored: the watchers, the other processes,
// the health of the webhooks and whoever waits.
func (t *settler) finish(ctx context.Context, results []settling, oks []bool) {
	t.s.feed.Wake()
	t.s.store.Notify()
	room := 0
	ids := make([]DeliveryID, len(results))
	for i := range results {
		item := &results[i]
		ids[i] = item.Entry.Delivery.ID
		room += item.room
		if oks[i] {
			t.s.metrics.settled(&item.Entry)
		} else {
			t.s.metrics.fenced.Inc()
		}
		if item.done != nil {
			item.done <- settled{Entry: item.Entry, OK: oks[i]}
		}
	}
	t.s.health.observe(results, oks)
	t.s.dispatcher.here.remove(ids...)
	t.s.dispatcher.Unreserve(room)
	for i := range results {
		if turn := results[i].turn; turn != nil {
			t.pass(ctx, turn, oks[i] && !results[i].Entry.Delivery.State.waits())
		}
	}
}

// pass ends the turn of an ordered delivery. When it still waits, or may, those
// after it go back to the queue.
func (t *settler) pass(ctx context.Context, turn *turnTaken, over bool) {
	turn.report.blocked = !over
	for _, p := range t.s.dispatcher.conclude(ctx, &turn.task, turn.report, false) {
		ids := p.ids()
		t.s.dispatcher.here.remove(ids...)
		t.s.metrics.putBack(p.reason, len(ids))
		t.giveBack(ctx, ids, p.pause)
		t.s.dispatcher.Unreserve(len(ids))
	}
}

// giveBack returns deliveries to the queue. What can't be returned now is due
// again when its lease ends.
func (t *settler) giveBack(ctx context.Context, ids []DeliveryID, pause time.Duration) {
	if _, err := t.s.store.Release(ctx, t.s.opts.Owner, ids, pause); err != nil {
		t.s.metrics.failed("release")
		t.s.log.WarnContext(ctx, "give deliveries back", "count", len(ids), "err", err)
	}
	t.s.dispatcher.returned()
}

// sleep waits for d and reports whether ctx still lasts.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
