package model

import "portalhooks/delivery"

// An APIKey is an API key of the GraphQL API, without its hash.
type APIKey struct{ delivery.APIKey }

// NewAPIKeys returns the views of all, in order.
func NewAPIKeys(all []delivery.APIKey) []*APIKey {
	keys := make([]*APIKey, len(all))
	for i, k := range all {
		keys[i] = &APIKey{k}
	}
	return keys
}

// ID is the opaque id.
func (k APIKey) ID() string { return k.APIKey.ID.String() }

// An AuditEntry is an audit entry of the GraphQL API.
type AuditEntry struct {
	delivery.AuditEntry
	With  *AuditSiblings
	Index int // among With.All
}

// AuditSiblings are entries that a resolver returned together.
type AuditSiblings struct {
	All          []*delivery.AuditEntry
	Organization Field[*Organization]
}

// NewAuditEntries returns the views of all, in order.
func NewAuditEntries(all []*delivery.AuditEntry) []*AuditEntry {
	with := &AuditSiblings{All: all}
	return views(all, func(i int, e *delivery.AuditEntry) *AuditEntry { return &AuditEntry{*e, with, i} })
}

// ID is the opaque id.
func (e AuditEntry) ID() string { return e.AuditEntry.ID.String() }

// Actor is the caller who performed the action.
func (e AuditEntry) Actor() AuditActor { return AuditActor{e.AuditEntry.Actor} }

// Object is the object of the action; nil if there is none.
func (e AuditEntry) Object() *delivery.AuditObject {
	if e.AuditEntry.Object == (delivery.AuditObject{}) {
		return nil
	}
	return &e.AuditEntry.Object
}

// RequestID is nil if there was no request.
func (e AuditEntry) RequestID() *string { return text(e.Request) }

// RemoteAddress is nil if there was no request.
func (e AuditEntry) RemoteAddress() *string { return text(e.Address) }

// An AuditActor is an actor of the GraphQL API.
type AuditActor struct{ delivery.Actor }

// APIKeyID is nil if no key was used.
func (a AuditActor) APIKeyID() *string {
	if a.Key == 0 {
		return nil
	}
	return text(a.Key.String())
}
