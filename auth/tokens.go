package auth

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"portalhooks/delivery"
)

// How long a token that was found valid is trusted without another look, and how
// many are remembered.
const (
	tokenTrust = 30 * time.Second
	tokensKept = 5000
)

// Tokens recognises bearer tokens of an identity provider.
type Tokens struct {
	provider *Provider
	audience string
	grants   *Grants

	mu    sync.Mutex
	known map[[sha256.Size]byte]knownToken
}

type knownToken struct {
	caller  delivery.Caller
	expires time.Time
	checked time.Time
}

// NewTokens returns Tokens of p that are meant for audience.
func NewTokens(p *Provider, audience string, g *Grants) *Tokens {
	return &Tokens{
		provider: p, audience: audience, grants: g, known: make(map[[sha256.Size]byte]knownToken),
	}
}

// Authenticate returns whose token text is, and when it expires. It returns
// Unauthenticated for a token that is not good, Forbidden for one that grants
// nothing here, and Unavailable while the provider can't be asked. What is
// remembered of it does not count if anew.
func (t *Tokens) Authenticate(
	ctx context.Context, text string, anew bool,
) (delivery.Caller, time.Time, error) {
	hash, now := sha256.Sum256([]byte(text)), t.provider.now()
	t.mu.Lock()
	known, ok := t.known[hash]
	t.mu.Unlock()
	if ok && !anew && now.Sub(known.checked) < tokenTrust && now.Before(known.expires) {
		return known.caller, known.expires, nil
	}
	c, err := t.provider.verify(ctx, text, t.audience, bearerToken)
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	if err := c.checkBearer(); err != nil {
		return delivery.Caller{}, time.Time{}, badToken(err)
	}
	caller, err := t.grants.caller(ctx, c.name(programNames), t.grants.rules.pick(c))
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	t.remember(hash, knownToken{caller, c.expires, now})
	return caller, c.expires, nil
}

// knows reports whether text was a good token not long ago.
func (t *Tokens) knows(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.known[sha256.Sum256([]byte(text))]
	return ok
}

func (t *Tokens) remember(hash [sha256.Size]byte, k knownToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= tokensKept {
		clear(t.known)
	}
	t.known[hash] = k
}
