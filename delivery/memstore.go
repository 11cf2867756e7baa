package delivery

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"portalhooks/delivery/loop"
)

// A fakeStore is a Store in memory that keeps the laws of the interface. It is
// in several files: this one has the queue, the log and what keeps them fit.
type fakeStore struct {
	SessionStore // but for what the upkeep calls, nothing here needs it

	mu       sync.Mutex
	orgs     []Organization
	items    []Item
	webhooks map[WebhookID]*Webhook
	versions []WebhookVersion
	health   map[WebhookID]WebhookHealth
	events   map[EventID]Event
	keys     map[eventKey]Stored
	queue    map[DeliveryID]*fakeRow
	log      []LogEntry
	apiKeys  map[KeyID]APIKey
	sessions []Session
	audit    []AuditEntry
	members  map[int]*fakeMember
	horizon  time.Time
	wake     chan struct{}

	down       error                     // every method fails with it
	fail       func(method string) error // a chosen one does
	poison     func(s *Settlement) bool  // settlements that can't be stored
	took       map[string]time.Duration  // how long a method takes
	unreadable map[OrgID]error           // organizations whose Config fails
	skew       time.Duration             // how far the database's clock is ahead of this process's
	supply     func(ClaimRequest) []Job  // claims get these, and settling them is nothing
	calls      map[string]int            // how often each was called
	dead       map[Owner]bool            // processes that are cut off from the store
	claims     []int                     // perWebhook of each Claim
	notified   int
	order      []DeliveryID      // of the queue, with some that have left it
	queued     map[WebhookID]int // by webhook
	ordered    bool              // something is
	told       chan struct{}     // gets a value when Notify was called
}

type eventKey struct {
	org OrgID
	key string
}

type fakeRow struct {
	delivery Delivery
	owner    Owner // the zero Owner is nobody
	due      time.Time
	held     bool
	cancel   bool
}

type fakeMember struct {
	Member
	until time.Time
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		webhooks: make(map[WebhookID]*Webhook), health: make(map[WebhookID]WebhookHealth),
		events: make(map[EventID]Event), keys: make(map[eventKey]Stored), queue: make(map[DeliveryID]*fakeRow),
		apiKeys: make(map[KeyID]APIKey), members: make(map[int]*fakeMember),
		took: make(map[string]time.Duration), calls: make(map[string]int), dead: make(map[Owner]bool),
		wake: make(chan struct{}, 1), told: make(chan struct{}, 1), queued: make(map[WebhookID]int),
	}
}

// enter begins a method: it takes its time, fails if it shall, and locks.
func (f *fakeStore) enter(ctx context.Context, method string) (leave func(), err error) {
	f.mu.Lock()
	took := f.took[method]
	f.mu.Unlock()
	if took > 0 && !loop.Sleep(ctx, took) {
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.calls[method]++
	err = f.down
	if err == nil && f.fail != nil {
		err = f.fail(method)
	}
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	return f.mu.Unlock, nil
}

var errCutOff = errors.New("connection refused")

// enterAs is enter for a process that may be cut off.
func (f *fakeStore) enterAs(ctx context.Context, owner Owner, method string) (leave func(), err error) {
	leave, err = f.enter(ctx, method)
	if err == nil && f.dead[owner] {
		leave()
		return nil, errCutOff
	}
	return leave, err
}

// now is the database's clock.
func (f *fakeStore) now() time.Time { return time.Now().Add(f.skew) }

// line returns the queue in the order of the ids.
func (f *fakeStore) line() []DeliveryID {
	if len(f.order) < len(f.queue) || len(f.order) > 2*len(f.queue) {
		f.order = slices.Sorted(maps.Keys(f.queue))
	}
	for len(f.order) > 0 && f.queue[f.order[0]] == nil {
		f.order = f.order[1:]
	}
	return f.order
}

// put adds a row to the queue.
func (f *fakeStore) put(id DeliveryID, row *fakeRow) {
	if n := len(f.order); n > 0 && f.order[n-1] > id {
		f.order = nil // line makes it anew
	} else {
		f.order = append(f.order, id)
	}
	f.ordered = f.ordered || row.delivery.Ordered
	if f.queue[id] == nil {
		f.queued[row.delivery.Webhook]++
	}
	f.queue[id] = row
}

// change runs do under the store's lock.
func (f *fakeStore) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeStore) Ingest(
	ctx context.Context, owner Owner, lease time.Duration, batch []Ingest,
) ([]Ingested, error) {
	leave, err := f.enterAs(ctx, owner, "Ingest")
	if err != nil {
		return nil, err
	}
	defer leave()
	answers := make([]Ingested, len(batch))
	for i, in := range batch {
		org := f.org(in.Org)
		if org == nil || org.ConfigVersion != in.ConfigVersion {
			answers[i].Stale = true
			continue
		}
		for _, e := range in.Events {
			answers[i].Events = append(answers[i].Events, f.ingest(owner, lease, in.Org, e))
		}
	}
	return answers, nil
}

func (f *fakeStore) ingest(owner Owner, lease time.Duration, org OrgID, e NewEvent) Stored {
	key := eventKey{org, e.Key}
	if known, ok := f.keys[key]; ok {
		known.Fresh = false
		return known
	}
	stored := Stored{ID: e.Event.ID, Fresh: true, Fingerprint: e.Fingerprint, Deliveries: len(e.Deliveries)}
	f.keys[key] = stored
	f.events[e.Event.ID] = e.Event
	for _, d := range e.Deliveries {
		row := &fakeRow{delivery: d, due: f.now(), held: d.State == Held}
		if d.State == Sending {
			row.delivery.State = Queued
			row.owner, row.due = owner, f.now().Add(lease)
		}
		f.put(d.ID, row)
	}
	return stored
}

func (f *fakeStore) Claim(
	ctx context.Context, c ClaimRequest,
) ([]Job, error) {
	leave, err := f.enterAs(ctx, c.Owner, "Claim")
	if err != nil {
		return nil, err
	}
	defer leave()
	f.claims = append(f.claims, c.PerWebhook)
	if f.supply != nil {
		return f.supply(c), nil
	}
	var jobs []Job
	each := make(map[WebhookID]int)
	now := f.now()
	blocked := f.lentInOrder(now)
	for _, urgent := range []bool{true, false} {
		done := 0 // deliveries of webhooks of which no more is taken
		for _, id := range f.line() {
			row := f.queue[id]
			if len(jobs) == c.N || done == len(f.queue) {
				break
			}
			if row == nil {
				continue
			}
			hook := row.delivery.Webhook
			limit, limited := c.Limits[hook]
			switch {
			case row.held || row.delivery.Type.Urgent() != urgent || c.Urgent && !urgent:
				continue
			case row.due.After(now):
				blocked[hook] = blocked[hook] || row.delivery.Ordered
				continue
			case row.delivery.Ordered && blocked[hook], each[hook] >= c.PerWebhook, limited && each[hook] >= limit:
				continue
			}
			if each[hook]++; each[hook] == c.PerWebhook || limited && each[hook] == limit {
				done += f.queued[hook]
			}
			row.owner, row.due = c.Owner, now.Add(c.Lease)
			d := row.delivery
			d.State = Sending
			jobs = append(jobs, Job{Delivery: d, Event: f.events[d.Event], Owner: c.Owner, Cancel: row.cancel})
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return cmp.Compare(a.Delivery.ID, b.Delivery.ID) })
	return jobs, nil
}

// lentInOrder returns the webhooks that have deliveries out.
func (f *fakeStore) lentInOrder(now time.Time) map[WebhookID]bool {
	lent := make(map[WebhookID]bool)
	if !f.ordered {
		return lent
	}
	for _, row := range f.queue {
		if row.owner != (Owner{}) && row.due.After(now) {
			lent[row.delivery.Webhook] = true
		}
	}
	return lent
}

var errPoison = errors.New("invalid byte sequence")

func (f *fakeStore) Settle(ctx context.Context, batch []Settlement) ([]bool, error) {
	leave, err := f.enterAs(ctx, batch[0].Owner, "Settle")
	if err != nil {
		return nil, err
	}
	defer leave()
	for i := range batch {
		if f.poison != nil && f.poison(&batch[i]) {
			return nil, errPoison
		}
	}
	oks := make([]bool, len(batch))
	for i := range batch {
		oks[i] = f.supply != nil || f.settle(&batch[i])
	}
	return oks, nil
}

func (f *fakeStore) settle(s *Settlement) bool {
	d := s.Entry.Delivery
	if s.Unqueued {
		if s.Event != nil {
			f.events[s.Event.ID] = *s.Event
		}
		f.log = append(f.log, s.Entry)
		return true
	}
	row := f.queue[d.ID]
	if row == nil || row.owner != s.Owner || row.delivery.Attempts != s.Before {
		return false
	}
	f.log = append(f.log, s.Entry)
	row.delivery, row.owner = d, Owner{}
	switch {
	case d.State.Final():
		delete(f.queue, d.ID)
		f.queued[d.Webhook]--
	case d.State == Held:
		row.held = true
	default:
		row.due = s.DueAt
	}
	return true
}

func (f *fakeStore) Release(
	ctx context.Context, owner Owner, ids []DeliveryID, pause time.Duration,
) (int, error) {
	leave, err := f.enterAs(ctx, owner, "Release")
	if err != nil {
		return 0, err
	}
	defer leave()
	n, all := 0, ids == nil
	if all {
		for id, row := range f.queue {
			if row.owner != (Owner{}) && row.owner.Slot == owner.Slot && row.owner.Epoch <= owner.Epoch {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		if row := f.queue[id]; row != nil && (all || row.owner == owner) {
			row.owner, row.due = Owner{}, f.now().Add(pause)
			n++
		}
	}
	return n, nil
}

func (f *fakeStore) Requeue(ctx context.Context, deliveries []Delivery, records []AuditEntry) error {
	leave, err := f.enter(ctx, "Requeue")
	if err != nil {
		return err
	}
	defer leave()
	for _, d := range deliveries {
		f.put(d.ID, &fakeRow{delivery: d, due: f.now()})
	}
	f.audit = append(f.audit, records...)
	return nil
}

func (f *fakeStore) Recall(ctx context.Context, id WebhookID, cancel, held bool) (int, error) {
	leave, err := f.enter(ctx, "Recall")
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	for _, row := range f.queue {
		if row.delivery.Webhook != id || row.held && !held {
			continue
		}
		row.cancel = row.cancel || cancel
		row.held = false
		if row.owner == (Owner{}) {
			row.due = f.now()
		}
		n++
	}
	return n, nil
}

func (f *fakeStore) Depth(ctx context.Context) (QueueDepth, error) {
	leave, err := f.enter(ctx, "Depth")
	if err != nil {
		return QueueDepth{}, err
	}
	defer leave()
	var depth QueueDepth
	for _, row := range f.queue {
		switch {
		case row.held:
			depth.Held++
		case row.owner != (Owner{}):
			depth.Leased++
		default:
			depth.Pending++
			if depth.OldestDue.IsZero() || row.due.Before(depth.OldestDue) {
				depth.OldestDue = row.due
			}
		}
	}
	return depth, nil
}

func (f *fakeStore) Tail(ctx context.Context) (map[int]LogID, error) {
	leave, err := f.enter(ctx, "Tail")
	if err != nil {
		return nil, err
	}
	defer leave()
	tail := make(map[int]LogID)
	for _, e := range f.log {
		tail[IDSlot(e.ID)] = max(tail[IDSlot(e.ID)], e.ID)
	}
	return tail, nil
}

func (f *fakeStore) Follow(ctx context.Context, after map[int]LogID, limit int) ([]LogEntry, error) {
	leave, err := f.enter(ctx, "Follow")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []LogEntry
	for _, e := range f.log {
		if e.ID > after[IDSlot(e.ID)] {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b LogEntry) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))], nil
}

func (f *fakeStore) Horizon(ctx context.Context) (time.Time, error) {
	leave, err := f.enter(ctx, "Horizon")
	if err != nil {
		return time.Time{}, err
	}
	defer leave()
	return f.horizon, nil
}

// paged cuts a page out of a sorted list; cursors are positions.
func paged[T any](all []T, p Page, total bool) Slice[T] {
	from, to := 0, len(all)
	if n, err := strconv.Atoi(p.After); err == nil {
		from = n + 1
	}
	if n, err := strconv.Atoi(p.Before); err == nil {
		to = n
	}
	if p.First > 0 {
		to = min(to, from+p.First)
	} else {
		from = max(from, to-p.Last)
	}
	s := Slice[T]{Items: slices.Clone(all[from:to]), HasNext: to < len(all), HasPrev: from > 0, Total: -1}
	for i := from; i < to; i++ {
		s.Cursors = append(s.Cursors, strconv.Itoa(i))
	}
	if total {
		s.Total = len(all)
	}
	return s
}

// DiscardAll forgets everything that has happened and every webhook, and returns
// how many deliveries were pending. Call it within Change.
func (f *fakeStore) DiscardAll() (pending int) {
	pending = len(f.queue)
	clear(f.events)
	clear(f.keys)
	clear(f.health)
	clear(f.webhooks)
	f.log, f.versions, f.order, f.claims = nil, nil, nil, nil
	return pending
}
