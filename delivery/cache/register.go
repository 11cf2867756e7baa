package cache

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"portalhooks/delivery"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	organizationsKept = 10_000
	itemsKept         = 50_000
	// registeredAge is how long a registration is remembered. After it the store
	// is asked again, in case another server has changed it.
	registeredAge = 10 * time.Minute
)

// A Register makes sure that the organizations and items of reports exist, and
// takes over their names. It remembers what is stored, so that reports about the
// same cost no query. What it remembers are copies: see [delivery.Report].
//
// Registering changes nothing that exists: a report that turns out to be a
// re-send must not rename anything. Names are taken over afterward, by the Rename
// methods. Of two names the one that was true later wins, whichever comes first.
type Register struct {
	store delivery.Store
	ids   *delivery.IDs
	orgs  *lru.Cache[string, registeredOrg] // by external id
	known *lru.Cache[itemRef, registeredItem]
}

type registeredOrg struct {
	org     delivery.Organization
	namedAt *latest // when the name was true, as far as this server was told
	until   time.Time
}

// An itemRef names an item as Portal does.
type itemRef struct {
	org        delivery.OrgID
	kind       delivery.ItemKind
	externalID string
}

type registeredItem struct {
	id            delivery.ItemID
	name, viewURL string
	missing       bool
	namedAt       *latest // as of an organization
	until         time.Time
}

// A latest is the latest time that it was given, in microseconds. It may be used
// by many goroutines at once.
type latest struct{ micros atomic.Int64 }

// advance gives l a time and reports whether no later one is known.
func (l *latest) advance(at time.Time) bool {
	for {
		known, given := l.micros.Load(), at.UnixMicro()
		if given < known {
			return false
		}
		if given == known || l.micros.CompareAndSwap(known, given) {
			return true
		}
	}
}

// NewRegister returns an empty register over store.
func NewRegister(store delivery.Store, ids *delivery.IDs) *Register {
	return &Register{
		store: store, ids: ids,
		orgs:  newLRU[string, registeredOrg](organizationsKept),
		known: newLRU[itemRef, registeredItem](itemsKept),
	}
}

// An Organization is an organization that is registered.
type Organization struct {
	delivery.Organization

	New bool // it was not known before
}

// Organizations returns the organization of each external id. Unknown ones are
// stored, with the id for a name.
func (r *Register) Organizations(
	ctx context.Context, externalIDs []string,
) (map[string]Organization, error) {
	known := make(map[string]Organization, len(externalIDs))
	var missing []delivery.Organization
	now := time.Now()
	for _, id := range externalIDs {
		if _, done := known[id]; done {
			continue
		}
		if e, ok := r.orgs.Get(id); ok && now.Before(e.until) {
			known[id] = Organization{Organization: e.org}
			continue
		}
		known[id] = Organization{} // until it is read
		missing = append(missing, delivery.Organization{
			ID: delivery.OrgID(r.ids.Next()), ExternalID: strings.Clone(id), CreatedAt: now.UTC(),
		})
	}
	if len(missing) == 0 {
		return known, nil
	}
	stored, err := r.store.RegisterOrganizations(ctx, missing)
	if err != nil {
		return nil, fmt.Errorf("register organizations: %w", err)
	}
	for i, org := range stored {
		known[org.ExternalID] = Organization{org, org.ID == missing[i].ID}
		r.rememberOrg(org)
	}
	return known, nil
}

// rememberOrg keeps what is known of when the name was true.
func (r *Register) rememberOrg(org delivery.Organization) {
	e, ok := r.orgs.Get(org.ExternalID)
	if !ok {
		e.namedAt = new(latest)
	}
	r.orgs.Add(org.ExternalID, registeredOrg{org, e.namedAt, time.Now().Add(registeredAge)})
}

// RenameOrganization gives a registered organization the name that it had at a
// time, unless a name of a later time is known. An empty name changes nothing.
func (r *Register) RenameOrganization(
	ctx context.Context, org delivery.Organization, name string, at time.Time,
) error {
	e, ok := r.orgs.Get(org.ExternalID)
	if name == "" || ok && (!e.namedAt.advance(at) || name == e.org.Name) {
		return nil
	}
	org.ExternalID, org.Name = strings.Clone(org.ExternalID), strings.Clone(name)
	stored, err := r.store.RegisterOrganizations(ctx, []delivery.Organization{org})
	if err != nil {
		return fmt.Errorf("rename an organization: %w", err)
	}
	r.rememberOrg(stored[0])
	return nil
}

// Item returns the id of an organization's item, and whether it is new. An
// unknown one is stored.
func (r *Register) Item(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, reported delivery.ReportedItem,
) (id delivery.ItemID, isNew bool, err error) {
	e, ok := r.known.Get(itemRef{org, kind, reported.ID})
	if ok && time.Now().Before(e.until) {
		return e.id, false, nil
	}
	found, err := r.store.ItemsByExternalID(ctx, org, kind, []string{reported.ID})
	if err != nil {
		return 0, false, fmt.Errorf("look for an item: %w", err)
	}
	if len(found) > 0 {
		r.remember(found[0])
		return found[0].ID, false, nil
	}
	item := r.item(org, kind, reported)
	stored, err := r.store.RegisterItems(ctx, org, []delivery.Item{item})
	if err != nil {
		return 0, false, fmt.Errorf("register an item: %w", err)
	}
	r.remember(stored[0])
	return stored[0].ID, stored[0].ID == item.ID, nil
}

// RenameItem gives a registered item the name and the link that it had at a time,
// unless those of a later time are known. It is no longer missing. Empty ones
// change nothing.
func (r *Register) RenameItem(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, reported delivery.ReportedItem,
	at time.Time,
) error {
	e, ok := r.known.Get(itemRef{org, kind, reported.ID})
	named := reported.Name != "" || reported.ViewURL != ""
	if ok && named && !e.namedAt.advance(at) {
		reported.Name, reported.ViewURL = "", ""
	}
	name := delivery.Clean(reported.Name)
	if ok && !e.missing && (name == "" || name == e.name) &&
		(reported.ViewURL == "" || reported.ViewURL == e.viewURL) {
		return nil
	}
	stored, err := r.store.RegisterItems(ctx, org, []delivery.Item{r.item(org, kind, reported)})
	if err != nil {
		return fmt.Errorf("rename an item: %w", err)
	}
	r.remember(stored[0])
	return nil
}

// item returns a reported item as it is stored when it is new, with copies of its
// texts.
func (r *Register) item(
	org delivery.OrgID, kind delivery.ItemKind, reported delivery.ReportedItem,
) delivery.Item {
	return delivery.Item{
		ID: delivery.ItemID(r.ids.Next()), Org: org, Kind: kind, ExternalID: strings.Clone(reported.ID),
		Name: strings.Clone(delivery.Clean(reported.Name)), Enabled: true,
		ViewURL: strings.Clone(reported.ViewURL), Attributes: []byte("{}"), UpdatedAt: time.Now().UTC(),
	}
}

// remember keeps what is known of when the name was true.
func (r *Register) remember(item delivery.Item) {
	ref := itemRef{item.Org, item.Kind, item.ExternalID}
	e, ok := r.known.Get(ref)
	if !ok {
		e.namedAt = new(latest)
	}
	r.known.Add(ref, registeredItem{
		item.ID, item.Name, item.ViewURL, item.Missing, e.namedAt, time.Now().Add(registeredAge),
	})
}

// Forget drops what is known of an organization's items of one kind: their
// list has been replaced.
func (r *Register) Forget(org delivery.OrgID, kind delivery.ItemKind) {
	for _, ref := range r.known.Keys() {
		if ref.org == org && ref.kind == kind {
			r.known.Remove(ref)
		}
	}
}

// newLRU returns a bounded cache that forgets what was not used for longest. It
// is safe for concurrent use.
func newLRU[K comparable, V any](limit int) *lru.Cache[K, V] {
	cache, _ := lru.New[K, V](limit) // fails for limits below 1 only
	return cache
}
