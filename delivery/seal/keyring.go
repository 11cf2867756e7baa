package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const version = 1

var (
	// ErrUnknownKey is returned by Open for an envelope whose key is not in the
	// keyring.
	ErrUnknownKey = errors.New("the envelope was sealed with a key that is not in the key file")
	// ErrNotOpened is returned by Open for an envelope that is damaged or was
	// sealed with other additional data.
	ErrNotOpened = errors.New("the envelope is damaged or belongs to another record")
)

// A Keyring seals with its first key and opens with all of its keys. It is
// immutable and safe for concurrent use.
type Keyring struct {
	current string
	nonces  []byte // the key from which SealEqual makes nonces
	ciphers map[string]cipher.AEAD
}

// NewKeyring returns a keyring of the keys, which must be at least one and have
// distinct ids.
func NewKeyring(keys ...Key) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a keyring needs a key")
	}
	nonces := sha256.Sum256(append([]byte("nonces of equal envelopes|"), keys[0].secret...))
	r := &Keyring{
		current: keys[0].id, nonces: nonces[:], ciphers: make(map[string]cipher.AEAD, len(keys)),
	}
	for _, k := range keys {
		if _, twice := r.ciphers[k.id]; twice {
			return nil, fmt.Errorf("two keys have the id %q; ids must be unique", k.id)
		}
		aead, err := newCipher(k)
		if err != nil {
			return nil, fmt.Errorf("use %s: %w", k, err)
		}
		r.ciphers[k.id] = aead
	}
	return r, nil
}

func newCipher(k Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// AAD returns the additional data that bind an envelope to one field of a webhook.
func AAD(organization, webhook, field string) []byte {
	return []byte(strings.Join([]string{organization, webhook, field}, "|"))
}

// Seal returns an envelope of plain that can be opened only with the same aad.
func (r *Keyring) Seal(plain, aad []byte) []byte {
	nonce := make([]byte, r.ciphers[r.current].NonceSize())
	_, _ = rand.Read(nonce) // never fails: the program crashes if there is no randomness
	return r.seal(plain, aad, nonce)
}

// SealEqual is Seal with the same envelope for the same plain and aad, until the key
// changes: it tells those who see two envelopes whether they are equal inside.
func (r *Keyring) SealEqual(plain, aad []byte) []byte {
	mac := hmac.New(sha256.New, r.nonces)
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(aad)))) // a hash never fails
	_, _ = mac.Write(aad)
	_, _ = mac.Write(plain)
	return r.seal(plain, aad, mac.Sum(nil)[:r.ciphers[r.current].NonceSize()])
}

func (r *Keyring) seal(plain, aad, nonce []byte) []byte {
	head := append([]byte{version, byte(len(r.current))}, r.current...)
	bound := append(append([]byte{}, head...), aad...)
	return r.ciphers[r.current].Seal(append(head, nonce...), nonce, plain, bound)
}

// Open returns the plain text of an envelope. Its error is ErrUnknownKey or
// ErrNotOpened.
func (r *Keyring) Open(envelope, aad []byte) ([]byte, error) {
	id, rest, err := split(envelope)
	if err != nil {
		return nil, err
	}
	aead, ok := r.ciphers[id]
	if !ok {
		return nil, ErrUnknownKey
	}
	if len(rest) < aead.NonceSize() {
		return nil, ErrNotOpened
	}
	head := envelope[:len(envelope)-len(rest)]
	bound := append(append([]byte{}, head...), aad...)
	nonce, sealed := rest[:aead.NonceSize()], rest[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, sealed, bound)
	if err != nil {
		return nil, ErrNotOpened
	}
	return plain, nil
}

// Current reports whether the envelope was sealed with the key that Seal uses. A
// key rotation reseals the others.
func (r *Keyring) Current(envelope []byte) bool {
	id, _, err := split(envelope)
	return err == nil && id == r.current
}

// split returns the key id of an envelope and the rest: nonce and ciphertext.
func split(envelope []byte) (id string, rest []byte, err error) {
	if len(envelope) < 2 || envelope[0] != version || len(envelope) < 2+int(envelope[1]) {
		return "", nil, ErrNotOpened
	}
	end := 2 + int(envelope[1])
	return string(envelope[2:end]), envelope[end:], nil
}
