package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math/big"
	"strings"
	"time"

	"portalhooks/delivery"
)

// An API key's text is keyStart, an 8-character public part by which it is
// found and listed, and 43 characters that hold 32 random bytes, all base 62.
const (
	keyStart     = "phk_"
	publicLength = 8
	secretLength = 43
	keyLength    = len(keyStart) + publicLength + secretLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A KeyRequest describes an API key to be made.
type KeyRequest struct {
	Role      delivery.KeyRole
	Org       delivery.OrgID // required for admin and viewer, refused for operator, optional for portal
	Name      string         // 1 to 200 characters, for people
	By        string         // who asks for it
	ExpiresAt time.Time      // zero for never
}

// NewKey makes an API key. The text is what its holder sends; it can't be had
// again. It returns Invalid or Required when the request makes no sense.
func NewKey(id delivery.KeyID, r KeyRequest, now time.Time) (delivery.APIKey, string, error) {
	if err := r.check(now); err != nil {
		return delivery.APIKey{}, "", err
	}
	public, err := randomText(publicLength)
	if err != nil {
		return delivery.APIKey{}, "", err
	}
	secret, err := randomText(secretLength)
	if err != nil {
		return delivery.APIKey{}, "", err
	}
	text := keyStart + public + secret
	hash := sha256.Sum256([]byte(text))
	return delivery.APIKey{
		ID: id, Prefix: keyStart + public, Hash: hash[:], Name: r.Name, Role: r.Role, Org: r.Org,
		CreatedAt: now, CreatedBy: r.By, ExpiresAt: r.ExpiresAt,
	}, text, nil
}

func (r KeyRequest) check(now time.Time) error {
	switch r.Role {
	case delivery.AdminKey, delivery.ViewerKey:
		if r.Org == 0 {
			return delivery.Errorf(delivery.Required, "organization",
				"A key with the role %s belongs to one organization: say which.", r.Role)
		}
	case delivery.OperatorKey:
		if r.Org != 0 {
			return delivery.Errorf(delivery.Invalid, "organization",
				"A key with the role operator is for every organization: leave the organization out.")
		}
	case delivery.PortalKey:
	default:
		return delivery.Errorf(delivery.Invalid, "role", "The role is portal, admin, viewer or operator.")
	}
	if n := len([]rune(r.Name)); n == 0 || n > 200 {
		return delivery.Errorf(delivery.Invalid, "name", "The key's name has 1 to 200 characters.")
	}
	if !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(now) {
		return delivery.Errorf(delivery.Invalid, "expiresAt", "The key would be expired already.")
	}
	return nil
}

// prefixOf returns the public part of a key's text; ok is false when the text
// can't be a key.
func prefixOf(text string) (prefix string, ok bool) {
	if len(text) != keyLength || !strings.HasPrefix(text, keyStart) {
		return "", false
	}
	for _, c := range []byte(text[len(keyStart):]) {
		if strings.IndexByte(base62, c) < 0 {
			return "", false
		}
	}
	return text[:len(keyStart)+publicLength], true
}

// opens reports whether text is the key k and k works at now.
func opens(k delivery.APIKey, text string, now time.Time) bool {
	hash := sha256.Sum256([]byte(text))
	same := subtle.ConstantTimeCompare(hash[:], k.Hash) == 1
	expired := !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
	return same && k.RevokedAt.IsZero() && !expired
}

// callerOf returns what the holder of k is.
func callerOf(k delivery.APIKey) delivery.Caller {
	c := delivery.Caller{Name: fmt.Sprintf("%s (API key %s)", k.Name, k.Prefix)}
	switch k.Role {
	case delivery.PortalKey:
		c.Portal, c.Scope = true, k.Org
	case delivery.OperatorKey:
		c.Operator = true
	case delivery.AdminKey:
		c.Grants = map[delivery.OrgID]delivery.Role{k.Org: delivery.Admin}
	case delivery.ViewerKey:
		c.Grants = map[delivery.OrgID]delivery.Role{k.Org: delivery.ViewerRole}
	}
	return c
}

// randomText returns n random base 62 digits. 43 of them hold more than 32
// bytes of chance.
func randomText(n int) (string, error) {
	text := make([]byte, n)
	for i := range text {
		d, err := rand.Int(rand.Reader, big.NewInt(int64(len(base62))))
		if err != nil {
			return "", fmt.Errorf("read random bytes: %w", err)
		}
		text[i] = base62[d.Int64()]
	}
	return string(text), nil
}
