package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// auditLog returns a page of the audit log of org, or of all organizations for 0.
func (r *Resolver) auditLog(
	ctx context.Context, org delivery.OrgID, filter *gen.AuditFilter, first *int32, after *string,
) (*gen.AuditConnection, error) {
	page, err := pageOf(first, after, nil, nil)
	if err != nil {
		return nil, err
	}
	f, err := auditFilter(filter)
	if err != nil {
		return nil, err
	}
	s, err := r.Service.AuditLog(ctx, callerOf(ctx), org, f, page)
	if err != nil {
		return nil, err
	}
	nodes := model.NewAuditEntries(addresses(s.Items))
	return &gen.AuditConnection{
		Nodes: nodes, PageInfo: pageInfo(s),
		Edges: edges(nodes, s.Cursors, func(cursor string, n *model.AuditEntry) *gen.AuditEdge {
			return &gen.AuditEdge{Cursor: cursor, Node: n}
		}),
	}, nil
}

func auditFilter(f *gen.AuditFilter) (out delivery.AuditFilter, err error) {
	if f == nil {
		return out, nil
	}
	out = delivery.AuditFilter{
		Actions: f.Actions, Object: value(f.ObjectID), After: value(f.CreatedAfter), Before: value(f.CreatedBefore),
	}
	out.Key, err = parseID("filter.apiKeyId", "an API key", f.APIKeyID, delivery.ParseKeyID)
	return out, err
}
