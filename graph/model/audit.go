package model

import "portalhooks/delivery"

// An APIKey is shown with its id as text, and without its hash.
type APIKey struct{ delivery.APIKey }

// NewAPIKeys shows all, in order.
func NewAPIKeys(all []delivery.APIKey) []*APIKey {
	shown := make([]*APIKey, len(all))
	for i, k := range all {
		shown[i] = &APIKey{k}
	}
	return shown
}

// ID is the opaque id.
func (k APIKey) ID() string { return k.APIKey.ID.String() }

// An AuditEntry is shown with its id as text.
type AuditEntry struct {
	delivery.AuditEntry
	With  *AuditSiblings
	Index int // among With.All
}

// AuditSiblings are entries that one resolver returned together.
type AuditSiblings struct {
	All          []*delivery.AuditEntry
	Organization Field[*Organization]
}

// NewAuditEntries shows all, in order.
func NewAuditEntries(all []*delivery.AuditEntry) []*AuditEntry {
	with := &AuditSiblings{All: all}
	return views(all, func(i int, e *delivery.AuditEntry) *AuditEntry { return &AuditEntry{*e, with, i} })
}

// ID is the opaque id.
func (e AuditEntry) ID() string { return e.AuditEntry.ID.String() }

// Actor is who did it.
func (e AuditEntry) Actor() AuditActor { return AuditActor{e.AuditEntry.Actor} }

// Object is nil where there is none.
func (e AuditEntry) Object() *delivery.AuditObject {
	if e.AuditEntry.Object == (delivery.AuditObject{}) {
		return nil
	}
	return &e.AuditEntry.Object
}

// RequestID is nil where there was no request.
func (e AuditEntry) RequestID() *string { return text(e.Request) }

// RemoteAddress is nil where there was no request.
func (e AuditEntry) RemoteAddress() *string { return text(e.Address) }

// An AuditActor is shown with the id of its key as text.
type AuditActor struct{ delivery.Actor }

// APIKeyID is nil where no key was used.
func (a AuditActor) APIKeyID() *string {
	if a.Key == 0 {
		return nil
	}
	return text(a.Key.String())
}
