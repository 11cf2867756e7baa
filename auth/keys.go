package auth

import (
	"context"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// How long a key that was found valid is trusted without another look, and how
// many are remembered. A revoked key stops working within keyTrust on every
// replica.
const (
	keyTrust   = 5 * time.Second
	keysKept   = 1000
	touchEvery = time.Minute
)

// Keys recognises API keys.
type Keys struct {
	store delivery.KeyStore
	now   func() time.Time

	mu    sync.Mutex
	known map[string]knownKey // by text
}

type knownKey struct {
	key     delivery.APIKey
	checked time.Time
}

// NewKeys returns Keys that reads from store.
func NewKeys(store delivery.KeyStore) *Keys {
	return &Keys{store: store, now: time.Now, known: make(map[string]knownKey)}
}

// Authenticate returns whose key text is, and when it expires (zero: never).
// Anything but a working key is Unauthenticated, always with the same message.
// What is remembered of it does not count if anew.
func (k *Keys) Authenticate(ctx context.Context, text string, anew bool) (delivery.Caller, time.Time, error) {
	prefix, ok := credential.Prefix(text)
	if !ok {
		return delivery.Caller{}, time.Time{}, errBadKey
	}
	now := k.now()
	key, fresh := k.remembered(text, now)
	if fresh = fresh && !anew; !fresh {
		var err error
		key, err = k.store.KeyByPrefix(ctx, prefix)
		switch {
		case delivery.CodeOf(err) == delivery.NotFound:
			return delivery.Caller{}, time.Time{}, errBadKey
		case err != nil:
			return delivery.Caller{}, time.Time{}, err
		}
	}
	if !key.Opens(text, now) {
		return delivery.Caller{}, time.Time{}, errBadKey
	}
	if now.Sub(key.LastUsedAt) >= touchEvery {
		key.LastUsedAt = now
		if err := k.store.TouchKey(ctx, key.ID, now); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
		fresh = false
	}
	if !fresh {
		k.remember(text, key, now)
	}
	return key.Caller(), key.ExpiresAt, nil
}

var errBadKey = delivery.Errorf(delivery.Unauthenticated, "",
	"This API key is not valid: it is mistyped, expired or revoked. Make one with \"portalhooks key create\".")

// knows reports whether text was a working key not long ago.
func (k *Keys) knows(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.known[text]
	return ok
}

func (k *Keys) remembered(text string, now time.Time) (delivery.APIKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.known[text]
	return known.key, ok && now.Sub(known.checked) < keyTrust
}

func (k *Keys) remember(text string, key delivery.APIKey, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= keysKept {
		clear(k.known)
	}
	k.known[text] = knownKey{key, now}
}
