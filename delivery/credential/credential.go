// Package credential makes and reads the text of API keys.
//
// A key's text is phk_, an 8-character public part by which it is found and
// listed, and 43 characters that hold 32 random bytes, all base 62. Of the
// secret only a hash is kept.
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
	// Start begins the text of every key, and of nothing else.
	Start        = "phk_"
	publicLength = 8
	// SecretLength is how many characters of Random hold more than 32 bytes of
	// chance.
	SecretLength = 43
	length       = len(Start) + publicLength + SecretLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// New makes the text of a key, its public part and the hash to keep of it.
func New() (text, prefix string, hash []byte, err error) {
	random, err := Random(publicLength + SecretLength)
	if err != nil {
		return "", "", nil, err
	}
	text = Start + random
	return text, text[:len(Start)+publicLength], hashOf(text), nil
}

// Prefix returns the public part of a key's text; ok is false when the text
// can't be a key.
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

// Matches reports whether hash is that of text, in a time that does not depend
// on how much of it is right.
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
