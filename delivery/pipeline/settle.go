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
		Pause:  r.Pause,
	}
}

// A settling is a request to the settler: a settlement to store, or else jobs
// to return to the queue.
type settling struct {
	delivery.Settlement

	result   *Result // nil for a test of a webhook
	replaced bool    // nothing is left of the result but that the delivery has FAILED
	requeue  *fair.Requeue
	reply    chan<- Settled
}

// A settleQueue is the part of the Store that a Settler writes to.
type settleQueue interface {
	Settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error)
	Release(
		ctx context.Context, owner delivery.Owner, ids []delivery.DeliveryID, pause time.Duration,
	) (int, error)
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
	since   atomic.Int64 // when the transaction in progress began, in nanoseconds; 0 without one
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

// settleSoon is how long results take to be stored while the database works.
const settleSoon = time.Second

// Stuck implements [settler].
func (t *Settler) Stuck() bool {
	since := t.since.Load()
	return since != 0 && time.Since(time.Unix(0, since)) > settleSoon
}

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
		t.since.Store(time.Now().UnixNano())
		oks := t.settle(ctx, results)
		t.since.Store(0)
		requeues = append(requeues, t.report(ctx, results, oks)...)
	}
	if len(requeues) > 0 {
		t.release(ctx, requeues)
	}
}

// settle stores results, however long it takes, and reports for each whether it
// is in the log now. Whatever is wrong with the database, the results wait; only
// one that the database refuses for what it contains is stored in part, or lost.
func (t *Settler) settle(ctx context.Context, results []settling) []bool {
	pause := loop.Backoff{Min: settleBackoffMin, Max: settleBackoffMax}
	for try := 1; ; try++ {
		oks, err := t.transact(ctx, results)
		if err == nil {
			return oks
		}
		t.metrics.Failed("settle")
		if errors.Is(err, delivery.ErrUnstorable) {
			return t.isolate(ctx, results, err)
		}
		t.log.WarnContext(ctx, "settle deliveries", "count", len(results), "try", try, "err", err)
		if !pause.Sleep(ctx) {
			return make([]bool, len(results))
		}
	}
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
