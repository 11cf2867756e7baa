package graph

import (
	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// pageOf validates the arguments of a connection: first or last, from 1 to 100.
func pageOf(first *int32, after *string, last *int32, before *string) (delivery.Page, error) {
	p := delivery.Page{
		First: int(value(first)), After: value(after), Last: int(value(last)), Before: value(before),
	}
	switch {
	case first != nil && last != nil:
		return p, delivery.Errorf(delivery.Invalid, "last", "Set first or last, not both.")
	case first != nil && (p.First < 1 || p.First > delivery.MaxPageSize):
		return p, delivery.Errorf(delivery.LimitExceeded, "first", "first must be 1 to %d.", delivery.MaxPageSize)
	case last != nil && (p.Last < 1 || p.Last > delivery.MaxPageSize):
		return p, delivery.Errorf(delivery.LimitExceeded, "last", "last must be 1 to %d.", delivery.MaxPageSize)
	case first == nil && last == nil:
		p.First = delivery.DefaultPageSize
	}
	return p, nil
}

func pageInfo[T any](s delivery.Slice[T]) *gen.PageInfo {
	info := &gen.PageInfo{HasNextPage: s.HasNext, HasPreviousPage: s.HasPrev}
	if n := len(s.Cursors); n > 0 {
		info.StartCursor, info.EndCursor = &s.Cursors[0], &s.Cursors[n-1]
	}
	if s.End != "" {
		info.EndCursor = &s.End
	}
	info.SearchedTo = &s.SearchedTo
	return info
}

// edges pairs each node with its cursor.
func edges[N, E any](nodes []N, cursors []string, edge func(cursor string, node N) E) []E {
	all := make([]E, len(nodes))
	for i, node := range nodes {
		all[i] = edge(cursors[i], node)
	}
	return all
}

// addresses returns pointers to the elements.
func addresses[T any](all []T) []*T {
	out := make([]*T, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}

func organizationConnection(s delivery.Slice[delivery.Organization]) *gen.OrganizationConnection {
	nodes := model.NewOrganizations(addresses(s.Items))
	return &gen.OrganizationConnection{
		Nodes: nodes, PageInfo: pageInfo(s),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.Organization) *gen.OrganizationEdge {
			return &gen.OrganizationEdge{Cursor: cursor, Node: n}
		}),
	}
}

func itemConnection(s delivery.Slice[delivery.Item]) *gen.ItemConnection {
	nodes := model.NewItems(addresses(s.Items))
	return &gen.ItemConnection{
		Nodes: nodes, PageInfo: pageInfo(s), TotalCount: int32(s.Total),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.Item) *gen.ItemEdge {
			return &gen.ItemEdge{Cursor: cursor, Node: n}
		}),
	}
}

func webhookConnection(s delivery.Slice[delivery.Webhook]) *gen.WebhookConnection {
	nodes := model.NewWebhooks(addresses(s.Items))
	return &gen.WebhookConnection{
		Nodes: nodes, PageInfo: pageInfo(s), TotalCount: int32(s.Total),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.Webhook) *gen.WebhookEdge {
			return &gen.WebhookEdge{Cursor: cursor, Node: n}
		}),
	}
}

func versionConnection(
	org delivery.OrgID, s delivery.Slice[delivery.WebhookVersion],
) *gen.WebhookVersionConnection {
	nodes := make([]*model.WebhookVersion, len(s.Items))
	for i, v := range s.Items {
		nodes[i] = &model.WebhookVersion{WebhookVersion: v, Org: org}
	}
	return &gen.WebhookVersionConnection{
		Nodes: nodes, PageInfo: pageInfo(s),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.WebhookVersion) *gen.WebhookVersionEdge {
			return &gen.WebhookVersionEdge{Cursor: cursor, Node: n}
		}),
	}
}

func eventConnection(s delivery.Slice[delivery.Event]) *gen.EventConnection {
	nodes := model.NewEvents(addresses(s.Items))
	return &gen.EventConnection{
		Nodes: nodes, PageInfo: pageInfo(s),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.Event) *gen.EventEdge {
			return &gen.EventEdge{Cursor: cursor, Node: n}
		}),
	}
}

func deliveryConnection(s delivery.Slice[delivery.Delivery]) *gen.DeliveryConnection {
	nodes := model.NewDeliveries(addresses(s.Items))
	return &gen.DeliveryConnection{
		Nodes: nodes, PageInfo: pageInfo(s),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.Delivery) *gen.DeliveryEdge {
			return &gen.DeliveryEdge{Cursor: cursor, Node: n}
		}),
	}
}

// value returns *p; the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// optional returns nil, which is null in the API, for the empty text.
func optional[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}
