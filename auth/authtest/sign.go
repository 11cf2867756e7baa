package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// A signingKey is the provider's signing key.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// Rotate replaces the provider's signing key.
func (i *Issuer) Rotate(t testing.TB) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key = &signingKey{id: fmt.Sprintf("key-%x", private.N.Bytes()[:4]), private: private}
}

// KeyID returns the id of the provider's key.
func (i *Issuer) KeyID() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.key.id
}

// PublicKey returns the provider's public key as published.
func (i *Issuer) PublicKey() jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return jose.JSONWebKey{Key: i.key.private.Public(), KeyID: i.key.id, Algorithm: "RS256", Use: "sig"}
}

// Publish adds key, which need not be a valid key, to the published keys.
func (i *Issuer) Publish(key any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.extra = append(i.extra, key)
}

func (i *Issuer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	own := i.PublicKey()
	i.mu.Lock()
	defer i.mu.Unlock()
	respond(w, http.StatusOK, map[string]any{"keys": append([]any{own}, i.extra...)})
}

// Sign returns a valid token with these claims.
func (i *Issuer) Sign(claims map[string]any) string {
	payload, _ := json.Marshal(claims) // strings and numbers: can't fail
	return i.Forge(map[string]any{"alg": "RS256", "typ": "JWT", "kid": i.KeyID()}, payload)
}

// Forge signs any payload and header with the provider's key. The signature is
// RS256 even if the header names another algorithm.
func (i *Issuer) Forge(header map[string]any, payload []byte) string {
	i.mu.Lock()
	private := i.key.private
	i.mu.Unlock()
	return seal(header, payload, private)
}

// Unsigned returns a token without a signature.
func Unsigned(header map[string]any, payload []byte) string {
	return text(header, payload) + "."
}

// Confused returns a token signed by HMAC with the provider's public key (as PEM),
// the algorithm confusion attack.
func (i *Issuer) Confused(header map[string]any, payload []byte) string {
	i.mu.Lock()
	public, _ := x509.MarshalPKIXPublicKey(i.key.private.Public()) // an RSA key: can't fail
	i.mu.Unlock()
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	signed := text(header, payload)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// An OtherKey is a signing key of another algorithm or another issuer.
type OtherKey struct {
	Public jose.JSONWebKey
	signer jose.Signer
}

// NewOtherKey generates a key for alg: ES256, EdDSA, or RS256 with a size in bits.
func NewOtherKey(t testing.TB, id, alg string, bits int) OtherKey {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, bits)
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(alg), Key: jose.JSONWebKey{Key: private, KeyID: id},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return OtherKey{jose.JSONWebKey{Key: private.Public(), KeyID: id, Use: "sig"}, signer}
}

// Sign returns a token with these claims, signed with the key.
func (k OtherKey) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func seal(header map[string]any, payload []byte, key *rsa.PrivateKey) string {
	signed := text(header, payload)
	sum := sha256.Sum256([]byte(signed))
	signature, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]) // a hash: can't fail
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func text(header map[string]any, payload []byte) string {
	head, _ := json.Marshal(header) // strings: can't fail
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload)
}
