package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"portalhooks/delivery"
)

// Limits of SyncItems.
const (
	MaxSyncedItems    = 10_000
	maxAttributesSize = 16 << 10
)

// An ItemQuery narrows a list of items.
type ItemQuery struct {
	Kind        delivery.ItemKind
	Search      string // part of the name, in any case
	EnabledOnly bool
}

// Items lists an organization's items of one kind by name.
func (s *Service) Items(
	ctx context.Context, c delivery.Caller, org delivery.OrgID, q ItemQuery, p delivery.Page,
) (delivery.Slice[delivery.Item], error) {
	if err := c.CheckRead(org); err != nil {
		return delivery.Slice[delivery.Item]{}, err
	}
	p, err := p.Bounded()
	if err != nil {
		return delivery.Slice[delivery.Item]{}, err
	}
	search, err := searched("search", q.Search)
	if err != nil {
		return delivery.Slice[delivery.Item]{}, err
	}
	if !q.Kind.Known() {
		return delivery.Slice[delivery.Item]{}, delivery.Errorf(
			delivery.Invalid, "kind", "There is no such kind of item.",
		)
	}
	slice, err := s.store.Items(ctx, org, q.Kind, search, q.EnabledOnly, p)
	for i := range slice.Items {
		s.link(&slice.Items[i])
	}
	return slice, err
}

// ItemsByID returns the items with the ids, nil where there is none that the
// caller may see.
func (s *Service) ItemsByID(
	ctx context.Context, c delivery.Caller, ids []delivery.ItemID,
) ([]*delivery.Item, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	found, err := s.store.ItemsByID(ctx, 0, ids)
	if err != nil {
		return nil, err
	}
	for i := range found {
		s.link(&found[i])
	}
	return align(ids, found,
		func(i *delivery.Item) delivery.ItemID { return i.ID },
		func(i *delivery.Item) bool { return c.CheckRead(i.Org) == nil }), nil
}

// link gives an item without a page of its own the one that the settings say
// its kind has.
func (s *Service) link(i *delivery.Item) {
	if pattern := s.opts.ViewURLs[i.Kind]; i.ViewURL == "" && pattern != "" {
		i.ViewURL = strings.ReplaceAll(pattern, "{id}", url.PathEscape(i.ExternalID))
	}
}

// A SyncItemsInput is Portal's list of one kind of an organization's items.
type SyncItemsInput struct {
	OrganizationID   string // Portal's own id, or our org_…; registered when it is unknown
	OrganizationName string
	Kind             delivery.ItemKind
	Items            []delivery.SyncedItem
	Complete         bool // whether items that are not listed no longer exist
}

// SyncItems stores Portal's list of one kind of items and says what changed.
func (s *Service) SyncItems(
	ctx context.Context, c delivery.Caller, in SyncItemsInput,
) (delivery.SyncCounts, error) {
	if err := c.CheckPortal(); err != nil {
		return delivery.SyncCounts{}, err
	}
	items, err := checkSync(&in)
	if err != nil {
		return delivery.SyncCounts{}, err
	}
	named, err := s.pipeline.Ingester.Organization(ctx, c.Scope, in.OrganizationID, in.OrganizationName)
	if err != nil {
		return delivery.SyncCounts{}, err
	}
	org := named.ID
	for i := range items {
		items[i].ID, items[i].Org = delivery.ItemID(s.ids.Next()), org
	}
	counts, err := s.store.SyncItems(ctx, org, in.Kind, items, in.Complete)
	if err != nil {
		return delivery.SyncCounts{}, fmt.Errorf("sync items: %w", err)
	}
	s.pipeline.Ingester.ForgetItems(org, in.Kind)
	return counts, nil
}

func checkSync(in *SyncItemsInput) ([]delivery.Item, error) {
	var c checker
	c.ID("organizationId", in.OrganizationID)
	c.Name("organizationName", in.OrganizationName)
	if !in.Kind.Known() {
		c.Fail(delivery.Invalid, "kind", "There is no such kind of item.")
	}
	if len(in.Items) > MaxSyncedItems {
		c.Fail(delivery.LimitExceeded, "items", "List at most %d items.", MaxSyncedItems)
		return nil, c.Errors
	}
	items := make([]delivery.Item, len(in.Items))
	seen := make(map[string]int, len(in.Items))
	now := time.Now().UTC()
	for i, item := range in.Items {
		path := fmt.Sprintf("items.%d.", i)
		c.Item(path[:len(path)-1], &delivery.ReportedItem{ID: item.ID, Name: item.Name, ViewURL: item.ViewURL})
		if first, twice := seen[item.ID]; twice {
			c.Fail(delivery.Invalid, path+"id", "This item is already at position %d. List each item once.", first)
		}
		seen[item.ID] = i
		items[i] = delivery.Item{
			Kind: in.Kind, ExternalID: item.ID,
			Name:    delivery.ReportedItem{ID: item.ID, Name: item.Name}.DisplayName(),
			Enabled: item.Enabled, ViewURL: item.ViewURL, Attributes: c.attributes(path+"attributes", item.Attributes),
			UpdatedAt: now,
		}
	}
	if len(c.Errors) > 0 {
		return nil, c.Errors
	}
	return items, nil
}

// attributes returns the compact form of a JSON object.
func (c *checker) attributes(field string, object json.RawMessage) json.RawMessage {
	if len(object) == 0 || string(object) == "null" {
		return json.RawMessage("{}")
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, object)
	switch {
	case err != nil || compact.Bytes()[0] != '{' || !utf8.Valid(object):
		c.Fail(delivery.Invalid, field, "The attributes are a JSON object.")
	case compact.Len() > maxAttributesSize:
		c.Fail(delivery.LimitExceeded, field, "The attributes have at most %d KiB.", maxAttributesSize>>10)
	case bytes.Contains(compact.Bytes(), []byte(`\u0000`)):
		c.Fail(delivery.Invalid, field, "The attributes must not contain the character NUL.")
	}
	return compact.Bytes()
}
