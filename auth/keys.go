package auth

import (
	"context"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// The cache of valid keys. A revoked key stops working within keyCacheTTL on
// every server.
const (
	keyCacheTTL      = 5 * time.Second
	maxCachedKeys    = 1000
	keyTouchInterval = time.Minute // between two updates of a key's LastUsedAt
)

// Keys authenticates API keys.
type Keys struct {
	// Local accepts the keys that development mode makes.
	Local bool

	store delivery.KeyStore
	now   func() time.Time

	mu    sync.Mutex
	cache map[string]cachedKey // by text
}

type cachedKey struct {
	key     delivery.APIKey
	checked time.Time
}

// NewKeys returns Keys that reads from store.
func NewKeys(store delivery.KeyStore) *Keys {
	return &Keys{store: store, now: time.Now, cache: make(map[string]cachedKey)}
}

// Authenticate returns the caller of the key text and when the key expires (zero:
// never). Anything but a valid key is Unauthenticated, always with the same
// message. Revalidate bypasses the cache.
func (k *Keys) Authenticate(
	ctx context.Context, text string, revalidate bool,
) (delivery.Caller, time.Time, error) {
	prefix, ok := credential.Prefix(text)
	if !ok {
		return delivery.Caller{}, time.Time{}, errBadKey
	}
	now := k.now()
	key, cached := k.lookup(text, now)
	if cached = cached && !revalidate; !cached {
		var err error
		key, err = k.store.KeyByPrefix(ctx, prefix)
		switch {
		case delivery.CodeOf(err) == delivery.NotFound:
			return k.refuse(text)
		case err != nil:
			return delivery.Caller{}, time.Time{}, err
		}
	}
	if !key.Opens(text, now) || key.Local && !k.Local {
		return k.refuse(text)
	}
	if now.Sub(key.LastUsedAt) >= keyTouchInterval {
		key.LastUsedAt = now
		if err := k.store.TouchKey(ctx, key.ID, now); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
		cached = false
	}
	if !cached {
		k.add(text, key, now)
	}
	return key.Caller(), key.ExpiresAt, nil
}

// refuse forgets a key that may have been valid once: from now on it counts as those
// that never were.
func (k *Keys) refuse(text string) (delivery.Caller, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.cache, text)
	return delivery.Caller{}, time.Time{}, errBadKey
}

var errBadKey = delivery.Errorf(delivery.Unauthenticated, "",
	"This API key is not valid: it is mistyped, expired or revoked. Create one with \"portalhooks key create\".")

// knows reports whether text is a cached key. It may have been revoked since.
func (k *Keys) knows(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.cache[text]
	return ok
}

func (k *Keys) lookup(text string, now time.Time) (delivery.APIKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	cached, ok := k.cache[text]
	return cached.key, ok && now.Sub(cached.checked) < keyCacheTTL
}

func (k *Keys) add(text string, key delivery.APIKey, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.cache) >= maxCachedKeys {
		clear(k.cache)
	}
	k.cache[text] = cachedKey{key, now}
}
