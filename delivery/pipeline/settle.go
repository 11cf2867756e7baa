package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/fair"
	"portalhooks/delivery/loop"
)

const (
	// SettleSize is how many settlements one transaction stores at most.
	SettleSize = 1000
	// A result that can't be stored although the database answers is tried this
	// often, then without what the receiver answered, then given up.
	settleTries = 4
	// The backoff between the tries of a batch.
	settleBackoffMin = 50 * time.Millisecond
	settleBackoffMax = 2 * time.Second
	// SettleFlush is how long results may wait for the database when the server
	// stops. What is not stored by then is sent again by another server.
	SettleFlush = 20 * time.Second
)

// A Result is what became of a job.
type Result struct {
	delivery.Job
	delivery.Verdict

	Attempt *delivery.Attempt // nil when no call was made
	Target  string            // the URL that was called
	Limits  *fair.Limits      // the webhook's, as they are now; nil if they were not read
	At      time.Time
}

// after returns the delivery as it stands after the result.
func (r *Result) after() delivery.Delivery { return r.Delivery.After(r.Attempt, r.Verdict, r.At) }

// completion returns what the result tells about its webhook. Blocked says that
// later deliveries have to wait for it.
func (r *Result) completion(blocked bool) fair.Completion {
	c := fair.Completion{Signal: fair.SignalOf(r.Attempt), Limits: r.Limits, Blocked: blocked}
	if r.Attempt != nil {
		c.Took = r.Attempt.Duration
	}
	return c
}

// settlement returns what is stored of the result.
func (r *Result) settlement() delivery.Settlement {
	return delivery.Settlement{
		Owner:  r.Owner,
		Before: r.Delivery.Attempts,
		Entry:  delivery.LogEntry{At: r.At, Delivery: r.after(), Attempt: r.Attempt},
		DueAt:  r.DueAt,
	}
}

// A settling is a request to the settler: a settlement to store, or else jobs
// to return to the queue.
type settling struct {
	delivery.Settlement

	result  *Result // nil for a test of a webhook
	requeue *fair.Requeue
	reply   chan<- Settled
}

// A settleQueue is the part of the Store that a Settler writes to.
type settleQueue interface {
	Settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error)
	Release(
		ctx context.Context, owner delivery.Owner, ids []delivery.DeliveryID, pause time.Duration,
	) (int, error)
	Ping(ctx context.Context) error
	Notify()
}

// A Settler stores results as a group commit. Because it alone gives the entries
// of the log their ids, right before they are committed, the entries of one
// server are in the order of their ids for every reader of the log.
type Settler struct {
	queue   settleQueue
	owner   delivery.Owner
	ids     *delivery.IDs
	metrics *Metrics
	log     *slog.Logger

	// Settled is told of every batch and returns the jobs that have to return to
	// the queue because of it. Requeued is told when jobs have returned.
	Settled  func(ctx context.Context, settled []Settled) []fair.Requeue
	Requeued func()

	batches *loop.Batcher[settling]
	stuck   atomic.Bool
}

// newSettler returns a settler without callbacks.
func newSettler(
	queue settleQueue, owner delivery.Owner, ids *delivery.IDs, m *Metrics, log *slog.Logger,
) *Settler {
	return &Settler{
		queue: queue, owner: owner, ids: ids, metrics: m, log: log,
		batches: loop.NewBatcher(loop.BatcherOptions[settling]{Queue: SettleSize, Max: SettleSize}),
	}
}

// Submit implements [settler]. It blocks while the settler is behind, which
// keeps the workers from making more results. It returns false when the settler
// has given up, because the database was away for too long at the end.
func (t *Settler) Submit(r *Result) bool {
	return t.put(settling{Settlement: r.settlement(), result: r})
}

// Requeue implements [settler].
func (t *Settler) Requeue(r fair.Requeue) bool { return t.put(settling{requeue: &r}) }

// Stuck implements [settler].
func (t *Settler) Stuck() bool { return t.stuck.Load() }

func (t *Settler) put(item settling) bool {
	return t.batches.Put(context.Background(), item) == nil //nolint:contextcheck // outlives the caller's
}

// Settle stores one settlement and waits for that. Unlike Submit it may be
// called at any time. It returns Unavailable when the server stops before.
func (t *Settler) Settle(ctx context.Context, s delivery.Settlement) (Settled, error) {
	reply := make(chan Settled, 1)
	if err := t.batches.Put(ctx, settling{Settlement: s, reply: reply}); err != nil {
		return Settled{}, stopping(err)
	}
	select {
	case settled := <-reply:
		return settled, nil
	case <-t.batches.Ended():
		return Settled{}, ErrStopping
	case <-ctx.Done():
		return Settled{}, ctx.Err()
	}
}

// ErrStopping is for callers who come while the server stops.
var ErrStopping = delivery.Errorf(delivery.Unavailable, "", "The server is stopping. Try again in a moment.")

// stopping turns the end of a loop into an answer.
func stopping(err error) error {
	if errors.Is(err, loop.ErrStopped) {
		return ErrStopping
	}
	return err
}

// Run stores results until ctx ends, and then those that were handed over
// before. Callers of Submit and Requeue have to end first.
func (t *Settler) Run(ctx context.Context) error {
	storing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	unhook := context.AfterFunc(ctx, func() {
		loop.Sleep(storing, SettleFlush)
		stop()
	})
	defer unhook()
	t.batches.RunAll(ctx, func(batch []settling) { t.commit(storing, batch) })
	return nil
}

// commit stores a batch and reports it.
func (t *Settler) commit(ctx context.Context, batch []settling) {
	var requeues []fair.Requeue
	results := make([]settling, 0, len(batch))
	for _, item := range batch {
		if item.requeue != nil {
			requeues = append(requeues, *item.requeue)
			continue
		}
		results = append(results, item)
	}
	if len(results) > 0 {
		oks := t.settle(ctx, results)
		requeues = append(requeues, t.report(ctx, results, oks)...)
	}
	if len(requeues) > 0 {
		t.release(ctx, requeues)
	}
}

// settle stores results, however long it takes, and reports for each whether it
// is in the log now. Where the database works but refuses the batch it stores
// the halves, so that only the result that is at fault is lost.
func (t *Settler) settle(ctx context.Context, results []settling) []bool {
	pause := loop.Backoff{Min: settleBackoffMin, Max: settleBackoffMax}
	defer t.stuck.Store(false)
	for try := 1; ; try++ {
		oks, err := t.transact(ctx, results)
		if err == nil {
			return oks
		}
		t.stuck.Store(true)
		t.metrics.Failed("settle")
		t.log.WarnContext(ctx, "settle deliveries", "count", len(results), "try", try, "err", err)
		if ctx.Err() != nil {
			return make([]bool, len(results))
		}
		if t.queue.Ping(ctx) != nil {
			try = 0 // the database is away, which says nothing about the results
		} else if try >= 2 && len(results) > 1 {
			half := len(results) / 2
			return append(t.settle(ctx, results[:half]), t.settle(ctx, results[half:])...)
		}
		switch {
		case try == settleTries:
			strip(&results[0])
		case try > settleTries:
			t.log.ErrorContext(ctx, "give up a result", "delivery", results[0].Entry.Delivery.ID, "err", err)
			return make([]bool, len(results))
		}
		if !pause.Sleep(ctx) {
			return make([]bool, len(results))
		}
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

// transact makes one transaction.
func (t *Settler) transact(ctx context.Context, results []settling) ([]bool, error) {
	began := time.Now()
	batch := make([]delivery.Settlement, len(results))
	for i := range results {
		if results[i].Entry.ID == 0 { // a batch that is tried again keeps its ids
			results[i].Entry.ID = delivery.LogID(t.ids.Next())
		}
		batch[i] = results[i].Settlement
	}
	oks, err := t.queue.Settle(ctx, batch)
	if err == nil {
		t.metrics.settleBatch(len(results), time.Since(began))
	}
	return oks, err
}

// release returns jobs to the queue. What can't be returned now is due again
// when its lease ends.
func (t *Settler) release(ctx context.Context, requeues []fair.Requeue) {
	byPause := make(map[time.Duration][]delivery.DeliveryID)
	for _, r := range requeues {
		byPause[r.Pause] = append(byPause[r.Pause], delivery.DeliveriesOf(r.Jobs)...)
	}
	for pause, ids := range byPause {
		if _, err := t.queue.Release(ctx, t.owner, ids, pause); err != nil {
			t.metrics.Failed("release")
			t.log.WarnContext(ctx, "return deliveries to the queue", "count", len(ids), "err", err)
		}
		t.Requeued()
	}
}
