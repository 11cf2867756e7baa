package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// The accepted signature algorithms. A key for one of them cannot verify a
// signature of another.
const (
	algRSA     = string(jose.RS256)
	algECDSA   = string(jose.ES256)
	algEdwards = string(jose.EdDSA)
)

const (
	maxKeys = 64   // of one provider
	minRSA  = 2048 // bits
)

// fetchKeys fetches the provider's signing keys. Keys of unknown types are
// skipped: the provider may publish them for other clients.
func (p *Provider) fetchKeys(ctx context.Context, address string) ([]jose.JSONWebKey, error) {
	//nolint:gosec // the URL is that of the configured provider
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(r) //nolint:gosec // the URL is that of the configured provider
	if err != nil {
		return nil, err
	}
	body, err := readAll(resp)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	keys := make([]jose.JSONWebKey, 0, min(len(set.Keys), maxKeys))
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if len(keys) < maxKeys && k.UnmarshalJSON(text) == nil && (k.Use == "" || k.Use == "sig") {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// verifies reports whether k is a sufficiently strong public key for alg.
func verifies(k jose.JSONWebKey, alg string) bool {
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return alg == algRSA && key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		return alg == algECDSA && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return alg == algEdwards
	}
	return false
}
