package auth

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"portalhooks/delivery"
)

// The cache of valid tokens.
const (
	tokenCacheTTL   = 30 * time.Second
	maxCachedTokens = 5000
)

// Tokens authenticates bearer tokens of an identity provider.
type Tokens struct {
	provider *Provider
	audience string
	grants   *Grants

	mu    sync.Mutex
	cache map[[sha256.Size]byte]cachedToken // by hash of the text
}

type cachedToken struct {
	caller  delivery.Caller
	expires time.Time
	checked time.Time
}

// NewTokens returns Tokens that accepts tokens of p for audience.
func NewTokens(p *Provider, audience string, g *Grants) *Tokens {
	return &Tokens{
		provider: p, audience: audience, grants: g, cache: make(map[[sha256.Size]byte]cachedToken),
	}
}

// Authenticate returns the caller of the token text and when the token expires.
// It returns Unauthenticated for an invalid token, Forbidden for one that grants
// no role, and Unavailable while the provider is unreachable. Revalidate bypasses
// the cache.
func (t *Tokens) Authenticate(
	ctx context.Context, text string, revalidate bool,
) (delivery.Caller, time.Time, error) {
	hash, now := sha256.Sum256([]byte(text)), t.provider.now()
	t.mu.Lock()
	cached, ok := t.cache[hash]
	t.mu.Unlock()
	if ok && !revalidate && now.Sub(cached.checked) < tokenCacheTTL && now.Before(cached.expires) {
		return cached.caller, cached.expires, nil
	}
	c, err := t.provider.verify(ctx, text, t.audience, bearerToken)
	if err == nil {
		if err = c.checkBearer(); err != nil {
			err = badToken(err)
		}
	}
	if delivery.CodeOf(err) == delivery.Unauthenticated {
		t.forget(hash) // from now on it counts as those that never were valid
	}
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	caller, err := t.grants.fresh(
		ctx, c.name(programNameClaims), delivery.TokenPerson(c.person()), t.grants.rules.pick(c),
	)
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	t.add(hash, cachedToken{caller, c.expires, now})
	return caller, c.expires, nil
}

// knows reports whether text is a cached token. It may have expired since.
func (t *Tokens) knows(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.cache[sha256.Sum256([]byte(text))]
	return ok
}

func (t *Tokens) forget(hash [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.cache, hash)
}

func (t *Tokens) add(hash [sha256.Size]byte, k cachedToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.cache) >= maxCachedTokens {
		clear(t.cache)
	}
	t.cache[hash] = k
}
