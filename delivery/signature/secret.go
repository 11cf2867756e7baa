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
	minSize      = 24 // limits of Standard Webhooks
	maxSize      = 64
	redacted     = secretPrefix + "[redacted]"
)

// ErrSecret is returned by ParseSecret for text that is not a secret. It does not
// quote the text.
var ErrSecret = errors.New(`a signing secret is "whsec_" followed by 24 to 64 bytes in base64`)

// A Secret is the key that signs the calls of one webhook. Printing, logging or
// marshaling a Secret yields a placeholder, never the key.
type Secret []byte

// NewSecret returns a secret of 32 random bytes.
func NewSecret() (Secret, error) {
	s := make(Secret, newSize)
	if _, err := rand.Read(s); err != nil {
		return nil, fmt.Errorf("generate signing secret: %w", err)
	}
	return s, nil
}

// ParseSecret parses text in the format of Reveal. It returns ErrSecret for any
// other text.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return nil, ErrSecret
	}
	// Trailing bits and newlines, which base64 decoders ignore, are rejected so
	// that a secret has exactly one text.
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || len(key) < minSize || len(key) > maxSize {
		return nil, ErrSecret
	}
	return key, nil
}

// Reveal returns the text of the secret, to be shown to a person once.
func (s Secret) Reveal() string {
	return secretPrefix + base64.StdEncoding.EncodeToString(s)
}

// Hint returns the last four characters of the secret's text, without padding:
// enough to tell two secrets apart. It is empty for a secret shorter than 24 bytes.
func (s Secret) Hint() string {
	if len(s) < minSize {
		return ""
	}
	text := base64.RawStdEncoding.EncodeToString(s)
	return text[len(text)-4:]
}

// String returns a placeholder. Use Reveal for the text.
func (s Secret) String() string { return redacted }

// Format writes a placeholder for every verb, so that %x and %d do not reveal the
// key.
func (s Secret) Format(f fmt.State, _ rune) {
	// f buffers in memory and cannot fail.
	_, _ = io.WriteString(f, redacted)
}

// LogValue returns a placeholder for structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, also for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
