package memstore

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

// A Store is a Store in memory that keeps the laws of the interface. It is
// in several files: this one has the queue, the log and what keeps them fit.
type Store struct {
	delivery.SessionStore // but for what the upkeep calls, nothing here needs it

	mu          sync.Mutex
	OrgRows     []delivery.Organization
	ItemRows    []delivery.Item
	WebhookRows map[delivery.WebhookID]*delivery.Webhook
	VersionRows []delivery.WebhookVersion
	HealthRows  map[delivery.WebhookID]delivery.WebhookHealth
	EventRows   map[delivery.EventID]delivery.Event
	EventKeys   map[eventKey]delivery.Stored
	QueueRows   map[delivery.DeliveryID]*Row
	LogRows     []delivery.LogEntry
	KeyRows     map[delivery.KeyID]delivery.APIKey
	SessionRows []delivery.Session
	AuditRows   []delivery.AuditEntry
	MemberRows  map[int]*Member
	HorizonAt   time.Time
	WakeUps     chan struct{}

	Down       error                                      // every method fails with it
	Fail       func(method string) error                  // a chosen one does
	Poison     func(s *delivery.Settlement) bool          // settlements that can't be stored
	Took       map[string]time.Duration                   // how long a method takes
	Unreadable map[delivery.OrgID]error                   // organizations whose Config fails
	Panics     map[delivery.VersionID]bool                // versions that VersionsByID panics for
	Skew       time.Duration                              // how far the database's clock is ahead of this process's
	Supply     func(delivery.ClaimRequest) []delivery.Job // claims get these, and settling them is nothing
	Calls      map[string]int                             // how often each was called
	Dead       map[delivery.Owner]bool                    // processes that are cut off from the store
	Claims     []int                                      // perWebhook of each Claim
	Notified   int
	Order      []delivery.DeliveryID      // of the queue, with some that have left it
	Queued     map[delivery.WebhookID]int // by webhook
	ordered    bool                       // something is
	Told       chan struct{}              // gets a value when Notify was called
}

type eventKey struct {
	org delivery.OrgID
	key string
}

type Row struct {
	Delivery delivery.Delivery
	Owner    delivery.Owner // the zero Owner is nobody
	due      time.Time
	Held     bool
	Cancel   bool
}

type Member struct {
	delivery.Member
	Until time.Time // the end of its lease
}

func New() *Store {
	return &Store{
		WebhookRows: make(
			map[delivery.WebhookID]*delivery.Webhook,
		), HealthRows: make(map[delivery.WebhookID]delivery.WebhookHealth),
		EventRows: make(
			map[delivery.EventID]delivery.Event,
		), EventKeys: make(map[eventKey]delivery.Stored), QueueRows: make(map[delivery.DeliveryID]*Row),
		KeyRows: make(map[delivery.KeyID]delivery.APIKey), MemberRows: make(map[int]*Member),
		Took: make(
			map[string]time.Duration,
		), Calls: make(map[string]int), Dead: make(map[delivery.Owner]bool), Panics: make(map[delivery.VersionID]bool),
		WakeUps: make(chan struct{}, 1), Told: make(chan struct{}, 1), Queued: make(map[delivery.WebhookID]int),
	}
}

// enter begins a method: it takes its time, fails if it shall, and locks.
func (f *Store) enter(ctx context.Context, method string) (leave func(), err error) {
	f.mu.Lock()
	took := f.Took[method]
	f.mu.Unlock()
	if took > 0 && !loop.Sleep(ctx, took) {
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.Calls[method]++
	if err = f.Down; err == nil && f.Fail != nil {
		err = f.Fail(method)
	}
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	return f.mu.Unlock, nil
}

var errCutOff = errors.New("connection refused")

// enterAs is enter for a process that may be cut off.
func (f *Store) enterAs(ctx context.Context, owner delivery.Owner, method string) (leave func(), err error) {
	leave, err = f.enter(ctx, method)
	if err == nil && f.Dead[owner] {
		leave()
		return nil, errCutOff
	}
	return leave, err
}

// now is the database's clock.
func (f *Store) now() time.Time { return time.Now().Add(f.Skew) }

// line returns the queue in the order of the ids.
func (f *Store) line() []delivery.DeliveryID {
	if len(f.Order) < len(f.QueueRows) || len(f.Order) > 2*len(f.QueueRows) {
		f.Order = slices.Sorted(maps.Keys(f.QueueRows))
	}
	for len(f.Order) > 0 && f.QueueRows[f.Order[0]] == nil {
		f.Order = f.Order[1:]
	}
	return f.Order
}

// put adds a row to the queue.
func (f *Store) put(id delivery.DeliveryID, row *Row) {
	if n := len(f.Order); n > 0 && f.Order[n-1] > id {
		f.Order = nil // line makes it anew
	} else {
		f.Order = append(f.Order, id)
	}
	f.ordered = f.ordered || row.Delivery.Ordered
	if f.QueueRows[id] == nil {
		f.Queued[row.Delivery.Webhook]++
	}
	f.QueueRows[id] = row
}

// Change runs do under the store's lock.
func (f *Store) Change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *Store) Ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	leave, err := f.enterAs(ctx, owner, "Ingest")
	if err != nil {
		return nil, err
	}
	defer leave()
	answers := make([]delivery.Ingested, len(batch))
	for i, in := range batch {
		org := f.Org(in.Org)
		if org == nil || org.ConfigVersion != in.ConfigVersion {
			answers[i].Stale = true
			continue
		}
		for _, e := range in.Events {
			answers[i].Events = append(answers[i].Events, f.Add(owner, lease, in.Org, e))
		}
	}
	return answers, nil
}

func (f *Store) Add(
	owner delivery.Owner, lease time.Duration, org delivery.OrgID, e delivery.NewEvent,
) delivery.Stored {
	key := eventKey{org, e.Key}
	if known, ok := f.EventKeys[key]; ok {
		known.Fresh = false
		return known
	}
	stored := delivery.Stored{
		ID:          e.Event.ID,
		Fresh:       true,
		Fingerprint: e.Fingerprint,
		Deliveries:  len(e.Deliveries),
	}
	f.EventKeys[key] = stored
	f.EventRows[e.Event.ID] = e.Event
	for _, d := range e.Deliveries {
		row := &Row{Delivery: d, due: f.now(), Held: d.State == delivery.Held}
		if d.State == delivery.Sending {
			row.Delivery.State = delivery.Queued
			row.Owner, row.due = owner, f.now().Add(lease)
		}
		f.put(d.ID, row)
	}
	return stored
}

func (f *Store) Claim(
	ctx context.Context, c delivery.ClaimRequest,
) ([]delivery.Job, error) {
	leave, err := f.enterAs(ctx, c.Owner, "Claim")
	if err != nil {
		return nil, err
	}
	defer leave()
	f.Claims = append(f.Claims, c.PerWebhook)
	if f.Supply != nil {
		return f.Supply(c), nil
	}
	var jobs []delivery.Job
	each := make(map[delivery.WebhookID]int)
	now := f.now()
	blocked := f.lentInOrder(now)
	for _, urgent := range []bool{true, false} {
		done := 0 // deliveries of webhooks of which no more is taken
		for _, id := range f.line() {
			row := f.QueueRows[id]
			if len(jobs) == c.N || done == len(f.QueueRows) {
				break
			}
			if row == nil {
				continue
			}
			hook := row.Delivery.Webhook
			limit, limited := c.Limits[hook]
			switch {
			case row.Held || row.Delivery.Type.Urgent() != urgent || c.Urgent && !urgent:
				continue
			case row.due.After(now):
				blocked[hook] = blocked[hook] || row.Delivery.Ordered
				continue
			case row.Delivery.Ordered && blocked[hook], each[hook] >= c.PerWebhook, limited && each[hook] >= limit:
				continue
			}
			if each[hook]++; each[hook] == c.PerWebhook || limited && each[hook] == limit {
				done += f.Queued[hook]
			}
			row.Owner, row.due = c.Owner, now.Add(c.Lease)
			d := row.Delivery
			d.State = delivery.Sending
			jobs = append(
				jobs, delivery.Job{Delivery: d, Event: f.EventRows[d.Event], Owner: c.Owner, Cancel: row.Cancel},
			)
		}
	}
	slices.SortFunc(jobs, func(a, b delivery.Job) int { return cmp.Compare(a.Delivery.ID, b.Delivery.ID) })
	return jobs, nil
}

// lentInOrder returns the webhooks that have deliveries out.
func (f *Store) lentInOrder(now time.Time) map[delivery.WebhookID]bool {
	lent := make(map[delivery.WebhookID]bool)
	if !f.ordered {
		return lent
	}
	for _, row := range f.QueueRows {
		if row.Owner != (delivery.Owner{}) && row.due.After(now) {
			lent[row.Delivery.Webhook] = true
		}
	}
	return lent
}

var errPoison = errors.New("invalid byte sequence")

func (f *Store) Settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error) {
	leave, err := f.enterAs(ctx, batch[0].Owner, "Settle")
	if err != nil {
		return nil, err
	}
	defer leave()
	for i := range batch {
		if f.Poison != nil && f.Poison(&batch[i]) {
			return nil, errPoison
		}
	}
	oks := make([]bool, len(batch))
	for i := range batch {
		oks[i] = f.Supply != nil || f.settle(&batch[i])
	}
	return oks, nil
}

func (f *Store) settle(s *delivery.Settlement) bool {
	d := s.Entry.Delivery
	if s.Unqueued {
		if s.Event != nil {
			f.EventRows[s.Event.ID] = *s.Event
		}
		f.LogRows = append(f.LogRows, s.Entry)
		return true
	}
	row := f.QueueRows[d.ID]
	if row == nil || row.Owner != s.Owner || row.Delivery.Attempts != s.Before {
		return false
	}
	f.LogRows = append(f.LogRows, s.Entry)
	row.Delivery, row.Owner = d, delivery.Owner{}
	switch {
	case d.State.Final():
		delete(f.QueueRows, d.ID)
		f.Queued[d.Webhook]--
	case d.State == delivery.Held:
		row.Held = true
	default:
		row.due = s.DueAt
	}
	return true
}

func (f *Store) Release(
	ctx context.Context, owner delivery.Owner, ids []delivery.DeliveryID, pause time.Duration,
) (int, error) {
	leave, err := f.enterAs(ctx, owner, "Release")
	if err != nil {
		return 0, err
	}
	defer leave()
	n, all := 0, ids == nil
	if all {
		for id, row := range f.QueueRows {
			if row.Owner != (delivery.Owner{}) && row.Owner.Slot == owner.Slot && row.Owner.Epoch <= owner.Epoch {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		if row := f.QueueRows[id]; row != nil && (all || row.Owner == owner) {
			row.Owner, row.due = delivery.Owner{}, f.now().Add(pause)
			n++
		}
	}
	return n, nil
}

func (f *Store) Requeue(
	ctx context.Context, deliveries []delivery.Delivery, records []delivery.AuditEntry,
) error {
	leave, err := f.enter(ctx, "Requeue")
	if err != nil {
		return err
	}
	defer leave()
	for _, d := range deliveries {
		f.put(d.ID, &Row{Delivery: d, due: f.now()})
	}
	f.AuditRows = append(f.AuditRows, records...)
	return nil
}

func (f *Store) Recall(ctx context.Context, id delivery.WebhookID, cancel, held bool) (int, error) {
	leave, err := f.enter(ctx, "Recall")
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	for _, row := range f.QueueRows {
		if row.Delivery.Webhook != id || row.Held && !held {
			continue
		}
		row.Cancel = row.Cancel || cancel
		row.Held = false
		if row.Owner == (delivery.Owner{}) {
			row.due = f.now()
		}
		n++
	}
	return n, nil
}

func (f *Store) Depth(ctx context.Context) (delivery.QueueDepth, error) {
	leave, err := f.enter(ctx, "Depth")
	if err != nil {
		return delivery.QueueDepth{}, err
	}
	defer leave()
	var depth delivery.QueueDepth
	for _, row := range f.QueueRows {
		switch {
		case row.Held:
			depth.Held++
		case row.Owner != (delivery.Owner{}):
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

func (f *Store) Tail(ctx context.Context) (map[int]delivery.LogID, error) {
	leave, err := f.enter(ctx, "Tail")
	if err != nil {
		return nil, err
	}
	defer leave()
	tail := make(map[int]delivery.LogID)
	for _, e := range f.LogRows {
		tail[delivery.IDSlot(e.ID)] = max(tail[delivery.IDSlot(e.ID)], e.ID)
	}
	return tail, nil
}

func (f *Store) Follow(
	ctx context.Context, after map[int]delivery.LogID, limit int,
) ([]delivery.LogEntry, error) {
	leave, err := f.enter(ctx, "Follow")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.LogEntry
	for _, e := range f.LogRows {
		if e.ID > after[delivery.IDSlot(e.ID)] {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b delivery.LogEntry) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))], nil
}

func (f *Store) Horizon(ctx context.Context) (time.Time, error) {
	leave, err := f.enter(ctx, "Horizon")
	if err != nil {
		return time.Time{}, err
	}
	defer leave()
	return f.HorizonAt, nil
}

// DiscardAll forgets everything that has happened and every webhook, and returns
// how many deliveries were pending. Call it within Change.
func (f *Store) DiscardAll() (pending int) {
	pending = len(f.QueueRows)
	clear(f.EventRows)
	clear(f.EventKeys)
	clear(f.HealthRows)
	clear(f.WebhookRows)
	f.LogRows, f.VersionRows, f.Order, f.Claims = nil, nil, nil, nil
	return pending
}
