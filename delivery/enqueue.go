package delivery

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
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

// An ingester stores what callers hand over. One goroutine takes whatever has
// arrived during the previous transaction as the next one, without a timer:
// alone a caller waits for nobody, and many callers share a commit.
type ingester struct {
	s       *Service
	handed  chan *handover
	stopped chan struct{} // closed when Run has ended
}

// A handover is a part of a call: at most about partSize events.
type handover struct {
	units  []Ingest
	origin trace.SpanContext // of the call
	stored []Ingested
	err    error
	done   chan struct{} // closed when stored and err are set
}

func newIngester(s *Service) *ingester {
	return &ingester{s: s, handed: make(chan *handover), stopped: make(chan struct{})}
}

// errUnknown tells a caller who can't be told what has become of the reports.
var errUnknown = Errorf(Unavailable, "",
	"The events could not be stored in time, or only in part. Send them again: nothing is stored twice.")

// submit stores units and returns what became of them. It returns errUnknown
// when ctx ends, or the ingester stops, before that is known.
func (g *ingester) submit(ctx context.Context, units []Ingest) ([]Ingested, error) {
	h := &handover{units: units, origin: g.s.tracer.origin(ctx), done: make(chan struct{})}
	select {
	case g.handed <- h:
	case <-ctx.Done():
		return nil, errUnknown
	case <-g.stopped:
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
func (g *ingester) Run(ctx context.Context) error {
	defer close(g.stopped)
	var next *handover // was left over from the batch before
	for {
		if next == nil {
			select {
			case next = <-g.handed:
			case <-ctx.Done():
				return nil
			}
		}
		var batch []*handover
		batch, next = g.gather(next)
		g.storeBatch(context.WithoutCancel(ctx), batch)
	}
}

// gather returns first and what else is waiting, up to batchSize events. Facts
// with the same key go to different batches, in their order, so that a batch
// never has to say which of its own facts came first; the one that has to wait
// is returned as left.
func (g *ingester) gather(first *handover) (batch []*handover, left *handover) {
	keys := make(map[factKey]bool)
	events := 0
	for h := first; h != nil; {
		size, clashes := h.measure(keys)
		if len(batch) > 0 && (clashes || events+size > batchSize) {
			return batch, h
		}
		batch = append(batch, h)
		events += size
		h.addTo(keys)
		select {
		case h = <-g.handed:
		default:
			h = nil
		}
	}
	return batch, nil
}

type factKey struct {
	org OrgID
	key string
}

func (h *handover) measure(keys map[factKey]bool) (size int, clashes bool) {
	for i := range h.units {
		u := &h.units[i]
		size += len(u.Events)
		for j := range u.Events {
			clashes = clashes || keys[factKey{u.Org, u.Events[j].Key}]
		}
	}
	return size, clashes
}

func (h *handover) addTo(keys map[factKey]bool) {
	for i := range h.units {
		for j := range h.units[i].Events {
			keys[factKey{h.units[i].Org, h.units[i].Events[j].Key}] = true
		}
	}
}

// storeBatch stores the handovers in one transaction and answers them.
func (g *ingester) storeBatch(ctx context.Context, batch []*handover) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var units []Ingest
	for _, h := range batch {
		units = append(units, h.units...)
	}
	reserved := g.reserve(units)
	began := time.Now()
	stored, err := g.s.store.Ingest(ctx, g.s.opts.Owner, jobLease, units)
	if err != nil {
		g.s.dispatcher.Unreserve(reserved)
		g.s.metrics.failed("ingest")
		g.s.log.ErrorContext(ctx, "store events", "err", err)
		for _, h := range batch {
			h.err = errUnknown
			close(h.done)
		}
		return
	}
	for _, h := range batch {
		h.stored, stored = stored[:len(h.units)], stored[len(h.units):]
	}
	g.dispatch(ctx, batch, reserved)
	g.s.metrics.ingestBatch(count(units), time.Since(began))
	for _, h := range batch {
		close(h.done)
	}
}

func count(units []Ingest) int {
	n := 0
	for i := range units {
		n += len(units[i].Events)
	}
	return n
}

// reserve takes room for the deliveries of each unit that fits, and lends them
// to this process, but for those that would have to wait in memory.
func (g *ingester) reserve(units []Ingest) int {
	reserved := 0
	for i := range units {
		events := units[i].Events
		n := g.s.dispatcher.router.lend(events)
		if n == 0 || g.s.dispatcher.Reserve(n, allUrgent(events)) {
			reserved += n
			continue
		}
		for j := range events {
			unlend(events[j].Deliveries)
		}
	}
	return reserved
}

// allUrgent reports whether nothing but alerts has happened.
func allUrgent(events []NewEvent) bool {
	for i := range events {
		if !isUrgent(events[i].Event.Type) {
			return false
		}
	}
	return true
}

func unlend(deliveries []Delivery) {
	for i := range deliveries {
		if deliveries[i].State == Sending {
			deliveries[i].State = Queued
		}
	}
}

// dispatch offers the fresh deliveries that are ours, gives back the room for
// those that were not stored, and wakes the claims for the others.
func (g *ingester) dispatch(ctx context.Context, batch []*handover, reserved int) {
	var jobs []Job
	unowned := false
	fresh := make(map[EventType]int)
	for _, h := range batch {
		for i := range h.units {
			for j, stored := range h.stored[i].Events {
				if h.stored[i].Stale || !stored.Fresh {
					continue
				}
				e := &h.units[i].Events[j]
				fresh[e.Event.Type]++
				g.s.tracer.remember(h.origin, e.Deliveries)
				jobs = g.appendLent(jobs, e)
				unowned = unowned || g.leaves(e.Deliveries)
			}
		}
	}
	g.s.metrics.ingestedEvents(fresh)
	g.s.dispatcher.Unreserve(reserved - len(jobs))
	if len(jobs) > 0 {
		g.s.dispatcher.Offer(ctx, jobs)
	}
	if unowned {
		g.s.dispatcher.Wake()
	}
}

// appendLent appends a job for each delivery of e that is lent to this process.
func (g *ingester) appendLent(jobs []Job, e *NewEvent) []Job {
	var event Event // made for the first
	for i := range e.Deliveries {
		if e.Deliveries[i].State != Sending {
			continue
		}
		if event.ID == 0 {
			event = e.Event.withoutReport()
		}
		jobs = append(jobs, Job{Delivery: e.Deliveries[i], Event: event, Owner: g.s.opts.Owner})
	}
	return jobs
}

// leaves reports whether one of the deliveries is left to whoever claims it.
func (g *ingester) leaves(deliveries []Delivery) bool {
	for i := range deliveries {
		if deliveries[i].State == Queued && !g.s.dispatcher.router.asleep(deliveries[i].Webhook) {
			return true
		}
	}
	return false
}
