package pipeline

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

const (
	// partSize is how many events are stored for one caller before others get
	// their turn. A report of 20,000 devices is stored in parts.
	partSize = 1_000
	// batchSize is how many events one transaction takes before it leaves
	// further callers to the next.
	batchSize = 5_000
	// storeTimeout bounds one transaction.
	storeTimeout = 30 * time.Second
)

// An enqueuer stores events and their deliveries as a group commit.
type enqueuer struct {
	queue      ingestQueue
	dispatcher dispatcher
	owner      delivery.Owner
	metrics    *Metrics
	tracer     *Tracer
	log        *slog.Logger

	batches *loop.Batcher[*handover]
	keys    map[factKey]bool // of the batch that is gathered
	events  int              // in it
}

// An ingestQueue is the part of the Store that events are written to.
type ingestQueue interface {
	Ingest(
		ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
	) ([]delivery.Ingested, error)
}

// A dispatcher takes over deliveries that were just stored.
type dispatcher interface {
	Lease(batch []delivery.Ingest) (leased []delivery.Ingest, reserved int)
	Cancel(reserved int)
	Offer(ctx context.Context, batch []delivery.Ingest, stored []delivery.Ingested, reserved int)
}

// A handover is a part of a call: at most about partSize events.
type handover struct {
	units  []delivery.Ingest
	origin trace.SpanContext // of the call
	stored []delivery.Ingested
	err    error
	done   chan struct{} // closed when stored and err are set
}

func newEnqueuer(queue ingestQueue, to dispatcher, o Options, m *Metrics, t *Tracer) *enqueuer {
	e := &enqueuer{
		queue: queue, dispatcher: to, owner: o.Owner, metrics: m, tracer: t, log: o.Logger,
		keys: make(map[factKey]bool),
	}
	e.batches = loop.NewBatcher(loop.BatcherOptions[*handover]{Admit: e.admit})
	return e
}

// errUnknown tells a caller who can't be told what has become of the reports.
var errUnknown = delivery.Errorf(delivery.Unavailable, "",
	"The events could not be stored in time, or only in part. Send them again: nothing is stored twice.")

// enqueue stores units and returns what became of them. It returns errUnknown
// when ctx ends, or the server stops, before that is known.
func (e *enqueuer) enqueue(ctx context.Context, units []delivery.Ingest) ([]delivery.Ingested, error) {
	h := &handover{units: units, origin: e.tracer.origin(ctx), done: make(chan struct{})}
	if err := e.batches.Put(ctx, h); err != nil {
		return nil, errUnknown
	}
	select {
	case <-h.done:
		return h.stored, h.err
	case <-ctx.Done():
		return nil, errUnknown
	}
}

// Run stores what is handed over until ctx ends.
func (e *enqueuer) Run(ctx context.Context) error {
	storing := context.WithoutCancel(ctx)
	e.batches.Run(ctx, func(batch []*handover) { e.commit(storing, batch) })
	return nil
}

type factKey struct {
	org delivery.OrgID
	key string
}

// admit reports whether a handover fits into the batch. Events with the same key
// go to different batches, in their order, so that a batch never has to say
// which of its own events came first.
func (e *enqueuer) admit(h *handover, first bool) bool {
	if first {
		clear(e.keys)
		e.events = 0
	}
	size, clashes := 0, false
	for i := range h.units {
		u := &h.units[i]
		size += len(u.Events)
		for j := range u.Events {
			clashes = clashes || e.keys[factKey{u.Org, u.Events[j].Key}]
		}
	}
	if !first && (clashes || e.events+size > batchSize) {
		return false
	}
	e.events += size
	for i := range h.units {
		for j := range h.units[i].Events {
			e.keys[factKey{h.units[i].Org, h.units[i].Events[j].Key}] = true
		}
	}
	return true
}

// commit stores the handovers in one transaction and answers them.
func (e *enqueuer) commit(ctx context.Context, batch []*handover) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var units []delivery.Ingest
	for _, h := range batch {
		units = append(units, h.units...)
	}
	units, reserved := e.dispatcher.Lease(units)
	began := time.Now()
	stored, err := e.queue.Ingest(ctx, e.owner, JobLease, units)
	if err != nil {
		e.dispatcher.Cancel(reserved)
		e.metrics.Failed("ingest")
		e.log.ErrorContext(ctx, "store events", "err", err)
		for _, h := range batch {
			h.err = errUnknown
			close(h.done)
		}
		return
	}
	e.metrics.ingestBatch(e.events, time.Since(began))
	e.metrics.ingestedEvents(units, stored)
	e.tracer.rememberBatch(batch, units, stored)
	e.dispatcher.Offer(ctx, units, stored, reserved)
	for _, h := range batch {
		h.stored, stored = stored[:len(h.units)], stored[len(h.units):]
		close(h.done)
	}
}
