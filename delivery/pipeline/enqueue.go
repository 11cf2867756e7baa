package pipeline

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

// storeTimeout bounds one transaction.
const storeTimeout = 30 * time.Second

// An enqueuer stores events and their deliveries as a group commit.
type enqueuer struct {
	queue      ingestQueue
	dispatcher dispatcher
	owner      delivery.Owner
	silent     func() bool // whether another server may have this one's slot, and make its ids
	metrics    *Metrics
	tracer     *Tracer
	log        *slog.Logger
	logged     time.Time // when a batch that could not be stored was last logged

	turns   *turns
	batches *loop.Batcher[*handover]
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

// A handover is a part of a call: about partRows rows, or one event.
type handover struct {
	ctx    context.Context // of the caller: once it has ended, nothing is stored
	units  []delivery.Ingest
	org    delivery.OrgID // whose they are; 0 for several organizations
	urgent bool           // nothing but alerts
	rows   int
	origin trace.SpanContext // of the call
	stored []delivery.Ingested
	err    error
	done   chan struct{} // closed when stored and err are set
}

func newEnqueuer(queue ingestQueue, to dispatcher, o Options, m *Metrics, t *Tracer) *enqueuer {
	e := &enqueuer{
		queue: queue, dispatcher: to, owner: o.Owner, silent: o.Silent, metrics: m, tracer: t, log: o.Logger,
	}
	e.turns = newTurns()
	e.batches = loop.NewBatcher(loop.BatcherOptions[*handover]{Choose: e.turns.choose})
	return e
}

// newHandover returns the handover of units.
func newHandover(ctx context.Context, units []delivery.Ingest) *handover {
	h := &handover{ctx: ctx, units: units, rows: rowsOf(units), urgent: true, done: make(chan struct{})}
	if len(units) > 0 {
		h.org = units[0].Org
	}
	for _, unit := range units {
		if unit.Org != h.org {
			h.org = 0
		}
		for j := range unit.Events {
			h.urgent = h.urgent && unit.Events[j].Event.Type.Urgent()
		}
	}
	return h
}

// errUnknown tells a caller who can't be told what has become of the reports.
var errUnknown = delivery.Errorf(delivery.Unavailable, "",
	"The events could not be stored in time, or only in part. Send them again: nothing is stored twice.")

// enqueue stores units and returns what became of them. It returns errUnknown
// when ctx ends, or the server stops, before that is known.
func (e *enqueuer) enqueue(ctx context.Context, units []delivery.Ingest) ([]delivery.Ingested, error) {
	h := newHandover(ctx, units)
	h.origin = e.tracer.origin(ctx)
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

// commit stores the handovers in one transaction and answers them.
func (e *enqueuer) commit(ctx context.Context, batch []*handover) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var units []delivery.Ingest
	for _, h := range batch {
		units = append(units, h.units...)
	}
	events := 0
	for i := range units {
		events += len(units[i].Events)
	}
	units, reserved := e.dispatcher.Lease(units)
	began := time.Now()
	stored, err := e.store(ctx, units)
	e.turns.stored(time.Since(began))
	if err != nil {
		e.dispatcher.Cancel(reserved)
		e.failed(ctx, err)
		for _, h := range batch {
			h.err = errUnknown
			close(h.done)
		}
		return
	}
	e.metrics.ingestBatch(events, time.Since(began))
	e.metrics.ingestedEvents(units, stored)
	e.tracer.rememberBatch(batch, units, stored)
	e.dispatcher.Offer(ctx, units, stored, reserved)
	for _, h := range batch {
		h.stored, stored = stored[:len(h.units)], stored[len(h.units):]
		close(h.done)
	}
}

func (e *enqueuer) store(ctx context.Context, units []delivery.Ingest) ([]delivery.Ingested, error) {
	if e.silent() {
		return nil, errSilent
	}
	return e.queue.Ingest(ctx, e.owner, delivery.JobLease, units)
}

// refusedPause is the least time between two lines of the log that say that events
// can't be stored: while the database is away, every call ends so.
const refusedPause = 10 * time.Second

// failed counts a batch that could not be stored, and logs one now and then.
func (e *enqueuer) failed(ctx context.Context, err error) {
	e.metrics.Failed("ingest")
	if time.Since(e.logged) < refusedPause {
		return
	}
	e.logged = time.Now()
	e.log.ErrorContext(ctx, "store events: callers are told to send them again", "err", err)
}
