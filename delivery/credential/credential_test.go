package credential

import (
	"strings"
	"testing"
)

func TestAKeyMatchesOnlyItsOwnHash(t *testing.T) {
	text, prefix, hash, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := Prefix(text); !ok || found != prefix || len(prefix) != 12 || !Matches(hash, text) {
		t.Errorf("Prefix(%s) = %q, %t, want %q, whose hash matches", text, found, ok, prefix)
	}
	other, _, _, err := New()
	if err != nil || other == text || Matches(hash, other) {
		t.Errorf("another key matches the hash: %s, %v", other, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "prefix only": prefix, "too long": text + "A", "another start": "abc_" + text[4:],
		"invalid character": text[:len(text)-1] + "-", "a token": strings.Repeat("e", len(text)),
	} {
		if found, ok := Prefix(bad); ok {
			t.Errorf("%s: accepted as the key %s", name, found)
		}
	}
}
