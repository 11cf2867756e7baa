package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func newKey(t testing.TB, id string) Key {
	t.Helper()
	k, err := NewKey(id, bytes.Repeat([]byte(id[:1]), keySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newKeyring(t testing.TB, ids ...string) *Keyring {
	t.Helper()
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = newKey(t, id)
	}
	r, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpen(t *testing.T) {
	aad := AAD("org_1", "wh_1", "secret")
	envelope := newKeyring(t, "a").Seal([]byte("whsec"), aad)

	for name, tt := range map[string]struct {
		ring *Keyring
		aad  []byte
		want error
	}{
		"the same keyring":     {newKeyring(t, "a"), aad, nil},
		"a newer key first":    {newKeyring(t, "b", "a"), aad, nil},
		"the key was removed":  {newKeyring(t, "b"), aad, ErrUnknownKey},
		"another organization": {newKeyring(t, "a"), AAD("org_2", "wh_1", "secret"), ErrNotOpened},
		"another webhook":      {newKeyring(t, "a"), AAD("org_1", "wh_2", "secret"), ErrNotOpened},
		"another field":        {newKeyring(t, "a"), AAD("org_1", "wh_1", "header"), ErrNotOpened},
	} {
		t.Run(name, func(t *testing.T) {
			plain, err := tt.ring.Open(envelope, tt.aad)
			if !errors.Is(err, tt.want) {
				t.Fatalf("err = %v, want %v", err, tt.want)
			}
			if tt.want == nil && string(plain) != "whsec" {
				t.Errorf("plain = %q", plain)
			}
		})
	}
}

func TestOpenDetectsEveryChangedByte(t *testing.T) {
	ring, aad := newKeyring(t, "a", "b"), AAD("o", "w", "f")
	envelope := ring.Seal([]byte("secret"), aad)
	for i := range envelope {
		bad := bytes.Clone(envelope)
		bad[i] ^= 3 // turns the key id a into b, which is in the keyring
		if plain, err := ring.Open(bad, aad); err == nil {
			t.Errorf("byte %d changed: opened as %q", i, plain)
		}
		if plain, err := ring.Open(envelope[:i], aad); err == nil {
			t.Errorf("truncated to %d bytes: opened as %q", i, plain)
		}
	}
}

func TestSealNeverRepeats(t *testing.T) {
	ring := newKeyring(t, "a")
	if bytes.Equal(ring.Seal([]byte("x"), nil), ring.Seal([]byte("x"), nil)) {
		t.Error("two envelopes of the same text are equal: the nonce repeats")
	}
}

func TestCurrentIsTheFirstKey(t *testing.T) {
	old := newKeyring(t, "a").Seal([]byte("x"), nil)
	ring := newKeyring(t, "b", "a")
	if ring.Current(old) {
		t.Error("an envelope of the second key counts as current")
	}
	if !ring.Current(ring.Seal([]byte("x"), nil)) {
		t.Error("a new envelope does not count as current")
	}
	if ring.Current(nil) {
		t.Error("an empty envelope counts as current")
	}
}

func TestKeyFileRoundTrip(t *testing.T) {
	first, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	second := newKey(t, "old.2026-01")
	file := "# keys of the production server\r\n\r\n" + FormatKey(first) + "\r\n  " + FormatKey(second) + "\n"

	keys, err := ParseKeyFile([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || FormatKey(keys[0]) != FormatKey(first) || FormatKey(keys[1]) != FormatKey(second) {
		t.Errorf("keys = %v, want %v and %v, in this order", keys, first, second)
	}
}

func TestParseKeyFileRejects(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), keySize))
	for name, file := range map[string]string{
		"no key":            "# nothing\n\n",
		"no colon":          good,
		"not base64":        "a:%%%",
		"a key too short":   "a:" + base64.StdEncoding.EncodeToString([]byte("short")),
		"no id":             ":" + good,
		"a space in the id": "a b:" + good,
		"an id too long":    strings.Repeat("a", maxID+1) + ":" + good,
		"a huge line":       strings.Repeat("a", 1<<17),
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParseKeyFile([]byte(file))
			if err == nil {
				t.Fatalf("accepted as %v", keys)
			}
			if strings.Contains(err.Error(), good) {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

func TestNewKeyringRejects(t *testing.T) {
	for name, keys := range map[string][]Key{
		"no key":         nil,
		"duplicate id":   {newKey(t, "a"), newKey(t, "a")},
		"the zero value": {{}},
	} {
		if _, err := NewKeyring(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPrintingAKeyHidesItsSecret(t *testing.T) {
	k := newKey(t, "z")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if got := fmt.Sprintf(format, k); got != "key z" {
			t.Errorf("%s prints %q", format, got)
		}
	}
	if out, err := json.Marshal(k); err == nil {
		t.Errorf("marshalled as %s", out)
	}
	if got := k.LogValue().String(); got != "key z" {
		t.Errorf("logs %q", got)
	}
}

func FuzzOpen(f *testing.F) {
	ring, aad := newKeyring(f, "a"), AAD("o", "w", "f")
	f.Add(ring.Seal([]byte("secret"), aad))
	f.Add([]byte{})
	f.Add([]byte{version, 255})
	f.Add([]byte{version, 1, 'a'})
	f.Fuzz(func(t *testing.T, envelope []byte) {
		ring.Current(envelope)
		plain, err := ring.Open(envelope, aad)
		// Every fuzz worker seals the seed again with its own nonce; those envelopes
		// open.
		if err == nil && string(plain) != "secret" {
			t.Errorf("a forged envelope opens as %q", plain)
		}
	})
}

// Equal texts have equal envelopes where that is asked for, and nowhere else.
func TestEqualEnvelopes(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	first := r.SealEqual([]byte("plain"), []byte("a"))
	if !bytes.Equal(first, r.SealEqual([]byte("plain"), []byte("a"))) {
		t.Error("equal texts have different envelopes")
	}
	if opened, err := r.Open(first, []byte("a")); err != nil || string(opened) != "plain" {
		t.Errorf("the envelope opens to %q, %v", opened, err)
	}
	if _, err := r.Open(first, []byte("b")); err == nil {
		t.Error("the envelope opens in another place")
	}
	nonce := func(envelope []byte) string { return string(envelope[2+len(key.id):][:12]) }
	for name, other := range map[string][]byte{
		"another text": r.SealEqual([]byte("plaim"), []byte("a")), "another place": r.SealEqual([]byte("plain"), []byte("b")),
		"moved border": r.SealEqual([]byte("lain"), []byte("ap")), "an ordinary one": r.Seal([]byte("plain"), []byte("a")),
	} {
		if nonce(other) == nonce(first) {
			t.Errorf("%s has the same nonce", name)
		}
	}
}
