package delivery

import (
	"crypto/sha256"
	"strings"
	"testing"
)

func TestHashedTellsPartsApart(t *testing.T) {
	if Hashed("", "a", "bc") == Hashed("", "ab", "c") || Hashed("", "a") == Hashed("", "a", "") {
		t.Error("two lists of parts have the same hash")
	}
	if n := len(Hashed("", strings.Repeat("x", 10_000))); n != 26 {
		t.Errorf("%d digits, want 26 whatever is hashed", n)
	}
}

// Keys are stored, and migrations spell them too: their spelling never changes.
func TestKeysTellFactsApart(t *testing.T) {
	const hex24 = "64b0c3a9e1f2d3c4b5a69788"
	packed := "x\x0c\x64\xb0\xc3\xa9\xe1\xf2\xd3\xc4\xb5\xa6\x97\x88"
	long := strings.Repeat("\U0001F525", MaxIDLength)
	hash := sha256.Sum256([]byte("wt" + long + "\x00t" + long + "\x00"))
	all := map[string]bool{}
	for got, want := range map[string]string{
		SourceKey(hex24):                      "s" + packed,
		SourceKey(strings.ToUpper(hex24)):     "st64B0C3A9E1F2D3C4B5A69788\x00",
		SourceKey("64b"):                      "st64b\x00",
		SourceKey("change-1"):                 "stchange-1\x00",
		SourceKey(strings.Repeat("00", 128)):  "sx\x80" + strings.Repeat("\x00", 128),
		SourceKey(strings.Repeat("00", 129)):  "st" + strings.Repeat("00", 129) + "\x00",
		OperationKey("op-1"):                  "otop-1\x00",
		OperationKey("64b0c3a9"):              "ox\x04\x64\xb0\xc3\xa9",
		WorkspaceKey("op-1", "00ff"):          "wtop-1\x00x\x02\x00\xff",
		WorkspaceKey(hex24, hex24):            "w" + packed + packed,
		MicroserviceKey("op-1", "0a", "ws-1"): "mtop-1\x00x\x01\x0atws-1\x00",
		SourceKey(long):                       "st" + long + "\x00",
		WorkspaceKey(long, long):              "wh" + string(hash[:]),
	} {
		if got != want {
			t.Errorf("key %q, want %q", got, want)
		}
		all[got] = true
	}
	if len(all) != 13 {
		t.Errorf("%d keys, want 13", len(all))
	}
}

// FuzzKey checks that two lists of ids never have the same key, and that keys
// of ids that are spelled alike are in the order of the ids.
func FuzzKey(f *testing.F) {
	f.Add("a", "bc", "ab", "c")
	f.Add("x\x01", "00", "00", "x\x01")
	f.Add("64b0c3a9e1f2d3c4b5a69788", "", "64b0c3a9e1f2d3c4b5a69789", "")
	f.Add("op-1", "t", "op-2", "t")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if strings.IndexByte(a+b+c+d, 0) >= 0 {
			return // no id has one
		}
		first, second := WorkspaceKey(a, b), WorkspaceKey(c, d)
		if (first == second) != (a == c && b == d) {
			t.Errorf("keys of %q, %q and %q, %q: %q and %q", a, b, c, d, first, second)
		}
		if len(a) == len(c) && packable(a) == packable(c) && a < c && first > second {
			t.Errorf("the key of %q is behind that of %q", a, c)
		}
	})
}
