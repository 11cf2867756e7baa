package delivery

import (
	"time"

	"portalhooks/delivery/credential"
)

// Limits of API keys.
const (
	// KeysPerName is how many keys of one client work at a time: the old one,
	// and the new one that replaces it.
	KeysPerName = 2
	MaxKeys     = 100 // of an organization, that work
	MaxKeyName  = 200 // characters
	MaxKeyLife  = 5 * 365 * 24 * time.Hour
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
	ID        KeyID
	Prefix    string // the public part of the key's text, unique
	Hash      []byte // SHA-256 of the whole text
	Name      string // of the client that shows it; at most KeysPerName work at a time
	Role      KeyRole
	Org       OrgID // 0 for all organizations
	CreatedAt time.Time
	CreatedBy string
	// Maker is the Caller.Person who made the key, or who made the key that made
	// it: it ends with that person's role. Empty for keys made at the terminal.
	Maker      string
	Local      bool      // works in development mode only
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
	c := Caller{Name: k.Name + " (API key " + k.Prefix + ")", Key: k.ID, Until: k.ExpiresAt, Person: k.Maker}
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
