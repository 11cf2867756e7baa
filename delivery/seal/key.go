package seal

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	keySize = 32
	maxID   = 64
)

// A Key is an AES-256 key with an id that envelopes carry in plain text. Printing
// or logging a Key shows its id only. The zero Key is not usable.
type Key struct {
	id     string
	secret []byte
}

// GenerateKey returns a new random key with a random id.
func GenerateKey() (Key, error) {
	random := make([]byte, keySize+4)
	if _, err := rand.Read(random); err != nil {
		return Key{}, fmt.Errorf("generate encryption key: %w", err)
	}
	return Key{id: hex.EncodeToString(random[keySize:]), secret: random[:keySize]}, nil
}

// NewKey returns the key with the given id and 32 bytes of secret.
func NewKey(id string, secret []byte) (Key, error) {
	if err := checkID(id); err != nil {
		return Key{}, err
	}
	if len(secret) != keySize {
		return Key{}, fmt.Errorf("the key %q has %d bytes; an encryption key has %d", id, len(secret), keySize)
	}
	return Key{id: id, secret: bytes.Clone(secret)}, nil
}

// ID returns the id by which envelopes refer to the key.
func (k Key) ID() string { return k.id }

// String returns the key's id, never its secret.
func (k Key) String() string { return "key " + k.id }

// Format writes the result of String for every verb, so that %x and %#v do not
// reveal the secret.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue returns the key's id for structured logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns an error: only FormatKey serializes a key.
func (k Key) MarshalText() ([]byte, error) {
	return nil, errors.New("an encryption key can't be marshalled")
}

// FormatKey returns the key's line in a key file, with the secret and without a
// newline.
func FormatKey(k Key) string {
	return k.id + ":" + base64.StdEncoding.EncodeToString(k.secret)
}

// ParseKeyFile parses a key file with one key per line, "id:base64 of 32 bytes".
// Empty lines and lines that start with "#" are ignored. Errors name the line and
// never quote the secret.
func ParseKeyFile(file []byte) ([]Key, error) {
	var keys []Key
	lines := bufio.NewScanner(bytes.NewReader(file))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("key file, line %d: %w", n, err)
		}
		keys = append(keys, k)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New(`the key file contains no key; a key is a line "id:base64 of 32 random bytes"`)
	}
	return keys, nil
}

func parseKey(line string) (Key, error) {
	id, encoded, ok := strings.Cut(line, ":")
	if !ok {
		return Key{}, errors.New(`a key must be of the form "id:base64 of 32 random bytes"`)
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Key{}, errors.New("the text after the colon must be base64")
	}
	return NewKey(id, secret)
}

func checkID(id string) error {
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.",
			r)
	}
	if id == "" || len(id) > maxID || strings.ContainsFunc(id, func(r rune) bool { return !valid(r) }) {
		return fmt.Errorf("a key's id must have 1 to %d letters, digits, dashes, underscores or dots", maxID)
	}
	return nil
}
