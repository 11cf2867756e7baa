package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// Organization is the resolver for the organization field.
func (r *auditEntryResolver) Organization(ctx context.Context, obj *model.AuditEntry) (*model.Organization, error) {
	return obj.With.Organization.At(obj.Index, func() ([]*model.Organization, error) {
		org := func(e *delivery.AuditEntry) delivery.OrgID { return e.Org }
		return r.organizationsOf(ctx, ids(obj.With.All, org))
	})
}

// AuditLog is the resolver for the auditLog field.
func (r *organizationResolver) AuditLog(ctx context.Context, obj *model.Organization, first *int32, after *string, filter *gen.AuditFilter) (*gen.AuditConnection, error) {
	return r.auditLog(ctx, obj.Organization.ID, filter, first, after)
}

// AuditLog is the resolver for the auditLog field.
func (r *queryResolver) AuditLog(ctx context.Context, first *int32, after *string, filter *gen.AuditFilter) (*gen.AuditConnection, error) {
	return r.auditLog(ctx, 0, filter, first, after)
}

// AuditEntry returns gen.AuditEntryResolver implementation.
func (r *Resolver) AuditEntry() gen.AuditEntryResolver { return &auditEntryResolver{r} }

type auditEntryResolver struct{ *Resolver }
