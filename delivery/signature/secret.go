package signature

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const (
	secretPrefix = "whsec_"
	newSize      = 32
	minSize      = 24 // the bounds that Standard Webhooks sets
	maxSize      = 64
	redacted     = secretPrefix + "[redacted]"
)

// ErrSecret is the error of ParseSecret. It never quotes its input.
var ErrSecret = errors.New(`a signing secret is "whsec_" followed by 24 to 64 bytes in base64`)

// A Secret is the key that signs one webhook's calls. Its bytes are what a
// store encrypts and keeps. Printing, logging and marshalling a Secret gives
// a placeholder, never the key.
type Secret []byte

// NewSecret returns a secret of 32 random bytes.
func NewSecret() (Secret, error) {
	s := make(Secret, newSize)
	if _, err := rand.Read(s); err != nil {
		return nil, fmt.Errorf("make signing secret: %w", err)
	}
	return s, nil
}

// ParseSecret reads the text that Reveal gives. It returns ErrSecret for
// anything else.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return nil, ErrSecret
	}
	// Strict refuses stray bits and the newlines that base64 would skip, so
	// that one secret has one text.
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || len(key) < minSize || len(key) > maxSize {
		return nil, ErrSecret
	}
	return key, nil
}

// Reveal returns the secret as text, to be shown to a person once.
func (s Secret) Reveal() string {
	return secretPrefix + base64.StdEncoding.EncodeToString(s)
}

// Hint returns the last four characters of the secret's text before its
// padding: enough to tell two secrets apart, useless to an attacker. A secret
// too short to have any left over has no hint.
func (s Secret) Hint() string {
	if len(s) < minSize {
		return ""
	}
	text := base64.RawStdEncoding.EncodeToString(s)
	return text[len(text)-4:]
}

// String returns a placeholder. Use Reveal for the text.
func (s Secret) String() string { return redacted }

// Format writes a placeholder whatever the verb, so that %x and %d don't give
// the key away either.
func (s Secret) Format(f fmt.State, _ rune) {
	// The printer behind f keeps what it is given in memory and can't fail.
	_, _ = io.WriteString(f, redacted)
}

// LogValue returns a placeholder for structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, which also covers JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
