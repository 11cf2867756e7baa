package delivery

import "time"

// A KeyRole is what an API key may do.
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
	Name       string
	Role       KeyRole
	Org        OrgID // 0 for all organizations
	CreatedAt  time.Time
	CreatedBy  string
	ExpiresAt  time.Time // zero for never
	RevokedAt  time.Time // zero while it works
	LastUsedAt time.Time // to the minute; zero when it was never used
}
