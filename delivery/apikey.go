package delivery

import (
	"time"

	"portalhooks/delivery/credential"
)

// A KeyRole is what an API key may do. Keys have no narrower scopes than their
// role.
type KeyRole string

// The key roles. Admin and viewer keys belong to one organization; a portal
// key may; an operator key never does.
const (
	PortalKey   KeyRole = "portal"
	AdminKey    KeyRole = "admin"
	ViewerKey   KeyRole = "viewer"
	OperatorKey KeyRole = "operator"
)

// An APIKey is a credential for a program. Its secret is kept only as a hash.
type APIKey struct {
	ID         KeyID
	Prefix     string // the public part of the key's text, unique
	Hash       []byte // SHA-256 of the whole text
	Name       string // of the client that shows it; at most KeysPerName work at a time
	Role       KeyRole
	Org        OrgID // 0 for all organizations
	CreatedAt  time.Time
	CreatedBy  string
	ExpiresAt  time.Time // zero for never
	RevokedAt  time.Time // zero while it works
	LastUsedAt time.Time // to the minute; zero when it was never used
}

// Works reports whether the key is good for anything at t.
func (k *APIKey) Works(t time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || t.Before(k.ExpiresAt))
}

// Opens reports whether text is the key and works at t.
func (k *APIKey) Opens(text string, t time.Time) bool {
	return credential.Matches(k.Hash, text) && k.Works(t)
}

// Caller returns what the holder of the key is.
func (k *APIKey) Caller() Caller {
	c := Caller{Name: k.Name + " (API key " + k.Prefix + ")", Key: k.ID, Until: k.ExpiresAt}
	switch k.Role {
	case PortalKey:
		c.Portal, c.Scope = true, k.Org
	case OperatorKey:
		c.Operator = true
	case AdminKey:
		c.Grants = map[OrgID]Role{k.Org: Admin}
	case ViewerKey:
		c.Grants = map[OrgID]Role{k.Org: ViewerRole}
	}
	return c
}

func keyObject(k *APIKey) AuditObject {
	return AuditObject{Type: APIKeyObject, ID: k.ID.String(), Name: k.Name}
}

// keyTraits are a key's fields as its list shows them.
func keyTraits(k *APIKey) traits {
	all := traits{
		{field: "name", value: k.Name},
		{field: "prefix", value: k.Prefix},
		{field: "role", value: k.Role},
		{field: "expiresAt"},
		{field: "revokedAt"},
	}
	if !k.ExpiresAt.IsZero() {
		all[3].value = formatTime(k.ExpiresAt)
	}
	if !k.RevokedAt.IsZero() {
		all[4].value = formatTime(k.RevokedAt)
	}
	return all
}
