package cache

import (
	"context"
	"fmt"
	"strings"
	"time"

	"portalhooks/delivery"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	organizationsKept = 10_000
	itemsKept         = 50_000
	// registeredAge is how long a registration is remembered. After it the store
	// is told again, in case another server has changed it.
	registeredAge = 10 * time.Minute
)

// A Register makes sure that the organizations and items of reports exist. It
// remembers what it has stored, so that reports about the same cost no query.
// What it remembers are copies: see [delivery.Report].
type Register struct {
	store delivery.Store
	ids   *delivery.IDs
	orgs  *lru.Cache[string, registeredOrg] // by external id
	known *lru.Cache[itemRef, registeredItem]
}

type registeredOrg struct {
	org   delivery.Organization
	until time.Time
}

// An itemRef names an item as Portal does.
type itemRef struct {
	org        delivery.OrgID
	kind       delivery.ItemKind
	externalID string
}

type registeredItem struct {
	id            delivery.ItemID
	name, viewURL string // as reported last; empty when it was not
	until         time.Time
}

// NewRegister returns an empty register over store.
func NewRegister(store delivery.Store, ids *delivery.IDs) *Register {
	return &Register{
		store: store, ids: ids,
		orgs: newLRU[string, registeredOrg](
			organizationsKept,
		), known: newLRU[itemRef, registeredItem](itemsKept),
	}
}

// A NamedOrg is an organization as a report names it.
type NamedOrg struct{ ExternalID, Name string }

// Organizations returns the organization of each external id. Unknown ones are
// stored, and new names replace old ones.
func (r *Register) Organizations(
	ctx context.Context, wanted []NamedOrg,
) (map[string]delivery.Organization, error) {
	known := make(map[string]delivery.Organization, len(wanted))
	names := make(map[string]string)
	var missing []string
	now := time.Now()
	for _, w := range wanted {
		if _, done := known[w.ExternalID]; done {
			continue
		}
		if e, ok := r.orgs.Get(w.ExternalID); ok && now.Before(e.until) &&
			(w.Name == "" || w.Name == e.org.Name) {
			known[w.ExternalID] = e.org
			continue
		}
		if name, waits := names[w.ExternalID]; !waits {
			missing = append(missing, w.ExternalID)
			names[w.ExternalID] = w.Name
		} else if name == "" {
			names[w.ExternalID] = w.Name
		}
	}
	if len(missing) == 0 {
		return known, nil
	}
	return known, r.addOrganizations(ctx, missing, names, known)
}

// addOrganizations stores organizations that may be new, and adds them to known.
func (r *Register) addOrganizations(
	ctx context.Context, missing []string, names map[string]string, known map[string]delivery.Organization,
) error {
	now := time.Now()
	orgs := make([]delivery.Organization, len(missing))
	for i, id := range missing {
		orgs[i] = delivery.Organization{
			ID: delivery.OrgID(r.ids.Next()), ExternalID: strings.Clone(id), Name: strings.Clone(names[id]),
			CreatedAt: now.UTC(),
		}
	}
	stored, err := r.store.RegisterOrganizations(ctx, orgs)
	if err != nil {
		return fmt.Errorf("register organizations: %w", err)
	}
	for _, org := range stored {
		known[org.ExternalID] = org
		r.orgs.Add(org.ExternalID, registeredOrg{org, now.Add(registeredAge)})
	}
	return nil
}

// Item returns the id of an organization's item. An unknown one is stored, and a
// new name or link replaces the old one.
func (r *Register) Item(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, item delivery.ReportedItem,
) (delivery.ItemID, error) {
	e, ok := r.known.Get(itemRef{org, kind, item.ID})
	if ok && time.Now().Before(e.until) && (item.Name == "" || delivery.Clean(item.Name) == e.name) &&
		(item.ViewURL == "" || item.ViewURL == e.viewURL) {
		return e.id, nil
	}
	return r.addItem(ctx, org, kind, item)
}

// addItem stores an item that may be new. A new item without a name has its id
// for one; an existing one keeps its name.
func (r *Register) addItem(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, reported delivery.ReportedItem,
) (delivery.ItemID, error) {
	now := time.Now()
	item := delivery.Item{
		ID: delivery.ItemID(r.ids.Next()), Org: org, Kind: kind, ExternalID: strings.Clone(reported.ID),
		Name: strings.Clone(delivery.Clean(reported.Name)), Enabled: true,
		ViewURL: strings.Clone(reported.ViewURL), Attributes: []byte("{}"), UpdatedAt: now.UTC(),
	}
	if item.Name == "" {
		found, err := r.store.ItemsByExternalID(ctx, org, kind, []string{item.ExternalID})
		if err != nil {
			return 0, fmt.Errorf("look for an item without a name: %w", err)
		}
		if len(found) == 0 {
			item.Name = item.ExternalID
		}
	}
	stored, err := r.store.RegisterItems(ctx, org, []delivery.Item{item})
	if err != nil {
		return 0, fmt.Errorf("register items: %w", err)
	}
	item = stored[0]
	r.known.Add(
		itemRef{org, kind, item.ExternalID},
		registeredItem{item.ID, item.Name, item.ViewURL, now.Add(registeredAge)},
	)
	return item.ID, nil
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
