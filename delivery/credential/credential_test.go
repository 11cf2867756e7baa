package credential

import (
	"strings"
	"testing"
)

func TestAKeyIsKnownByItsTextAlone(t *testing.T) {
	text, prefix, hash, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := Prefix(text); !ok || found != prefix || len(prefix) != 12 || !Matches(hash, text) {
		t.Errorf("of %s the prefix is %q, %t, and New says %q", text, found, ok, prefix)
	}
	other, _, _, err := New()
	if err != nil || other == text || Matches(hash, other) {
		t.Errorf("another key opens it: %s, %v", other, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "the prefix alone": prefix, "too long": text + "A", "another start": "abc_" + text[4:],
		"characters outside": text[:len(text)-1] + "-", "a token": strings.Repeat("e", len(text)),
	} {
		if found, ok := Prefix(bad); ok {
			t.Errorf("%s: is taken for a key, %s", name, found)
		}
	}
}
