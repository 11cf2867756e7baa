// Package credential generates and parses the text of API keys.
//
// A key is the text phk_, an 8-character public prefix that identifies it, and a
// secret of 43 characters with 32 bytes of entropy, all in base 62. Only a hash of
// the text is stored.
package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math/big"
	"strings"
)

const (
	// Start is the beginning of every key's text.
	Start        = "phk_"
	publicLength = 8
	// SecretLength is the number of characters of Random that hold more than 32
	// bytes of entropy.
	SecretLength = 43
	length       = len(Start) + publicLength + SecretLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// New generates a key: its text, its public prefix, and the hash to store.
func New() (text, prefix string, hash []byte, err error) {
	random, err := Random(publicLength + SecretLength)
	if err != nil {
		return "", "", nil, err
	}
	text = Start + random
	return text, text[:len(Start)+publicLength], hashOf(text), nil
}

// Prefix returns the public prefix of a key's text, or ok false if the text is not
// a well-formed key.
func Prefix(text string) (prefix string, ok bool) {
	if len(text) != length || !strings.HasPrefix(text, Start) {
		return "", false
	}
	for _, c := range []byte(text[len(Start):]) {
		if strings.IndexByte(base62, c) < 0 {
			return "", false
		}
	}
	return text[:len(Start)+publicLength], true
}

// Matches reports whether hash is the hash of text, in constant time.
func Matches(hash []byte, text string) bool {
	return subtle.ConstantTimeCompare(hashOf(text), hash) == 1
}

func hashOf(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

// Random returns n random base 62 digits.
func Random(n int) (string, error) {
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
