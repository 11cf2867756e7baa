package pipeline

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

// A register makes sure that the organizations and items of reports exist. It
// remembers those that it has stored, so that reports about them cost no query.
// What it remembers are copies: see [Report].
type register struct {
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

func newRegister(store delivery.Store, ids *delivery.IDs) *register {
	return &register{
		store: store, ids: ids,
		orgs: newLRU[string, registeredOrg](organizationsKept), known: newLRU[itemRef, registeredItem](itemsKept),
	}
}

// A namedOrg is an organization as a report names it.
type namedOrg struct{ externalID, name string }

// organizations returns the organization of each external id. Unknown ones are
// stored, and new names replace old ones.
func (r *register) organizations(
	ctx context.Context, wanted []namedOrg,
) (map[string]delivery.Organization, error) {
	known := make(map[string]delivery.Organization, len(wanted))
	names := make(map[string]string)
	var missing []string
	now := time.Now()
	for _, w := range wanted {
		if _, done := known[w.externalID]; done {
			continue
		}
		if e, ok := r.orgs.Get(w.externalID); ok && now.Before(e.until) && (w.name == "" || w.name == e.org.Name) {
			known[w.externalID] = e.org
			continue
		}
		if name, waits := names[w.externalID]; !waits {
			missing = append(missing, w.externalID)
			names[w.externalID] = w.name
		} else if name == "" {
			names[w.externalID] = w.name
		}
	}
	if len(missing) == 0 {
		return known, nil
	}
	orgs := make([]delivery.Organization, len(missing))
	for i, id := range missing {
		orgs[i] = delivery.Organization{
			ID: delivery.OrgID(r.ids.Next()), ExternalID: strings.Clone(id), Name: strings.Clone(names[id]),
			CreatedAt: now.UTC(),
		}
	}
	stored, err := r.store.RegisterOrganizations(ctx, orgs)
	if err != nil {
		return nil, fmt.Errorf("register organizations: %w", err)
	}
	for _, org := range stored {
		known[org.ExternalID] = org
		r.orgs.Add(org.ExternalID, registeredOrg{org, now.Add(registeredAge)})
	}
	return known, nil
}

// items gives each fact's item its id; all facts are of org. Unknown items are
// stored, and new names and links replace old ones.
func (r *register) items(ctx context.Context, org delivery.OrgID, facts []fact) error {
	var missing []delivery.Item
	var first *fact // of those about the same item: a report has one, or one after the other
	now := time.Now()
	for i := range facts {
		f := &facts[i]
		if first != nil && f.Kind == first.Kind && f.Item == first.Item {
			f.ItemID = first.ItemID
			continue
		}
		first = f
		e, ok := r.known.Get(itemRef{org, f.Kind, f.Item.ID})
		if ok && now.Before(e.until) && (f.Item.Name == "" || delivery.Clean(f.Item.Name) == e.name) &&
			(f.Item.ViewURL == "" || f.Item.ViewURL == e.viewURL) {
			f.ItemID = e.id
			continue
		}
		missing = append(missing, delivery.Item{
			ID: delivery.ItemID(r.ids.Next()), Org: org, Kind: f.Kind, ExternalID: strings.Clone(f.Item.ID),
			Name: strings.Clone(delivery.Clean(f.Item.Name)), Enabled: true, ViewURL: strings.Clone(f.Item.ViewURL),
			Attributes: []byte("{}"), UpdatedAt: now.UTC(),
		})
	}
	if len(missing) == 0 {
		return nil
	}
	return r.addItems(ctx, org, missing, facts)
}

// addItems stores items and gives the facts without an item's id theirs.
func (r *register) addItems(
	ctx context.Context, org delivery.OrgID, missing []delivery.Item, facts []fact,
) error {
	if err := r.nameItems(ctx, org, missing); err != nil {
		return err
	}
	stored, err := r.store.RegisterItems(ctx, org, missing)
	if err != nil {
		return fmt.Errorf("register items: %w", err)
	}
	registered := make(map[itemRef]delivery.ItemID, len(stored))
	until := time.Now().Add(registeredAge)
	for _, item := range stored {
		ref := itemRef{org, item.Kind, item.ExternalID}
		registered[ref] = item.ID
		r.known.Add(ref, registeredItem{item.ID, item.Name, item.ViewURL, until})
	}
	for i := range facts {
		if f := &facts[i]; f.ItemID == 0 {
			f.ItemID = registered[itemRef{org, f.Kind, f.Item.ID}]
		}
	}
	return nil
}

// nameItems gives new items without a name their id for one. Existing items
// keep their names.
func (r *register) nameItems(ctx context.Context, org delivery.OrgID, items []delivery.Item) error {
	for i := range items {
		item := &items[i]
		if item.Name != "" {
			continue
		}
		found, err := r.store.ItemsByExternalID(ctx, org, item.Kind, []string{item.ExternalID})
		if err != nil {
			return fmt.Errorf("look for an item without a name: %w", err)
		}
		if len(found) == 0 {
			item.Name = item.ExternalID
		}
	}
	return nil
}

// forget drops what is known of an organization's items of one kind: their
// list has been replaced.
func (r *register) forget(org delivery.OrgID, kind delivery.ItemKind) {
	for _, ref := range r.known.Keys() {
		if ref.org == org && ref.kind == kind {
			r.known.Remove(ref)
		}
	}
}

// locate finds the organization of each report, registering those that are not
// known yet. With a scope there is only one that may be named.
func (g *Ingester) locate(ctx context.Context, scope delivery.OrgID, submissions []submission) error {
	allowed, err := g.scopeOf(ctx, scope)
	if err != nil {
		return err
	}
	var wanted []namedOrg
	for i := range submissions {
		in := &submissions[i]
		if in.rejected() {
			continue
		}
		if err := g.resolveOpaque(ctx, in); err != nil {
			return err
		}
		id := in.report.OrganizationID
		if in.org.ID != 0 {
			id = in.org.ExternalID
		}
		if scope != 0 && id != allowed.ExternalID {
			in.result.Errors = delivery.Errors{delivery.Errorf(delivery.NotFound, "organizationId",
				"There is no such organization, or this API key may not report for it.")}
			continue
		}
		wanted = append(wanted, namedOrg{id, delivery.Clean(in.report.OrganizationName)})
		in.org.ExternalID = id
	}
	known, err := g.register.organizations(ctx, wanted)
	if err != nil {
		return err
	}
	for i := range submissions {
		if !submissions[i].rejected() {
			submissions[i].org = known[submissions[i].org.ExternalID]
		}
	}
	return nil
}

// scopeOf returns the only organization that may be reported for; the zero
// Organization without a scope.
func (g *Ingester) scopeOf(ctx context.Context, scope delivery.OrgID) (delivery.Organization, error) {
	if scope == 0 {
		return delivery.Organization{}, nil
	}
	config, err := g.webhooks.Get(ctx, scope)
	if err != nil {
		return delivery.Organization{}, err
	}
	return config.Org, nil
}

// resolveOpaque fills in the organization of a report that names it by our own
// id. What only looks like one is Portal's id.
func (g *Ingester) resolveOpaque(ctx context.Context, in *submission) error {
	id, ok := delivery.ParseOrgID(in.report.OrganizationID)
	if !ok {
		return nil
	}
	config, err := g.webhooks.Get(ctx, id)
	if delivery.CodeOf(err) == delivery.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	in.org = config.Org
	return nil
}

// Organization returns the organization that Portal names, and registers it when
// it is not known yet. With a scope there is only one that may be named: others
// are NotFound.
func (g *Ingester) Organization(
	ctx context.Context, scope delivery.OrgID, id, name string,
) (delivery.Organization, error) {
	one := []submission{{report: &delivery.Report{OrganizationID: id, OrganizationName: name}}}
	if err := g.locate(ctx, scope, one); err != nil {
		return delivery.Organization{}, err
	}
	if one[0].rejected() {
		return delivery.Organization{}, one[0].result.Errors
	}
	return one[0].org, nil
}

// ForgetItems drops what is remembered of an organization's items of one kind:
// their list has been replaced.
func (g *Ingester) ForgetItems(org delivery.OrgID, kind delivery.ItemKind) {
	g.register.forget(org, kind)
}
