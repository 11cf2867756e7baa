package memstore

import (
	"context"
	"sync"
	"time"

	"portalhooks/delivery"
)

// A Store keeps everything in tables in memory. One mutex makes every method a
// transaction. Values are stored and returned as they are: their slices are
// shared with the caller, who must not change them.
type Store struct {
	// Clock is the clock of the database, by which leases end and deliveries
	// fall due; time.Now if nil.
	Clock func() time.Time

	// Before, if set, is called at the start of every method that can fail,
	// outside of the transaction. Owner is the server that makes the call, where
	// the method names it. The method returns the error of Before, if any, and
	// does nothing. Set it before the Store is used.
	Before func(ctx context.Context, owner delivery.Owner, method string) error

	mu sync.Mutex

	// The tables. Hold the lock with Change to use them beside other calls.
	OrgRows     []delivery.Organization
	ItemRows    []delivery.Item
	WebhookRows map[delivery.WebhookID]*delivery.Webhook // deleted ones too
	VersionRows []delivery.WebhookVersion                // those of a webhook in their order
	HealthRows  map[delivery.WebhookID]delivery.WebhookHealth
	EventRows   map[delivery.EventID]delivery.Event
	LogRows     []delivery.LogEntry // in the order in which they were written
	KeyRows     map[delivery.KeyID]delivery.APIKey
	SessionRows []delivery.Session
	AuditRows   []delivery.AuditEntry // in the order in which they were written
	MemberRows  map[int]*Member       // by slot
	HorizonAt   time.Time             // what Horizon returns

	keys     map[eventKey]delivery.Stored    // what the keys of events stand for
	outcomes map[delivery.DeliveryID]outcome // of the latest attempt of each delivery
	counts   map[countKey]*delivery.Count    // of what was settled, by the hour
	queue    queue                           // the pending deliveries

	recalling map[delivery.WebhookID]int // what their deliveries have still to be told
}

var _ delivery.Store = (*Store)(nil)

// New returns an empty Store.
func New() *Store {
	return &Store{
		WebhookRows: make(map[delivery.WebhookID]*delivery.Webhook),
		HealthRows:  make(map[delivery.WebhookID]delivery.WebhookHealth),
		EventRows:   make(map[delivery.EventID]delivery.Event),
		KeyRows:     make(map[delivery.KeyID]delivery.APIKey),
		MemberRows:  make(map[int]*Member),
		keys:        make(map[eventKey]delivery.Stored),
		outcomes:    make(map[delivery.DeliveryID]outcome),
		counts:      make(map[countKey]*delivery.Count),
		queue:       newQueue(),
		recalling:   make(map[delivery.WebhookID]int),
	}
}

// Change runs do while no method runs.
func (s *Store) Change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// lock begins the transaction of a method; its end unlocks mu. With an error
// there is none.
func (s *Store) lock(ctx context.Context, method string) error {
	return s.lockAs(ctx, delivery.Owner{}, method)
}

// lockAs is lock for a method that names the server that calls it.
func (s *Store) lockAs(ctx context.Context, owner delivery.Owner, method string) error {
	if s.Before != nil {
		if err := s.Before(ctx, owner, method); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

// now returns the time of the database.
func (s *Store) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}

// Reset removes all webhooks and everything that has happened, but neither
// organizations nor items, and returns how many deliveries were pending. Call
// it within Change.
func (s *Store) Reset() (pending int) {
	pending = len(s.queue.rows)
	clear(s.WebhookRows)
	clear(s.HealthRows)
	clear(s.counts)
	clear(s.recalling)
	s.ForgetEvents()
	s.LogRows, s.VersionRows, s.queue = nil, nil, newQueue()
	return pending
}

// selected returns the elements that pass.
func selected[T any](list []T, passes func(*T) bool) []T {
	var found []T
	for i := range list {
		if passes(&list[i]) {
			found = append(found, list[i])
		}
	}
	return found
}

// byID returns the rows with the given ids that pass, each once.
func byID[K comparable, V any](rows map[K]V, ids []K, passes func(V) bool) []V {
	var found []V
	seen := make(map[K]bool, len(ids))
	for _, id := range ids {
		if row, ok := rows[id]; ok && !seen[id] && passes(row) {
			found = append(found, row)
		}
		seen[id] = true
	}
	return found
}
