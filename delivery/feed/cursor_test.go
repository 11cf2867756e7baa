package feed

import (
	"encoding/base64"
	"errors"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func cursors() *rapid.Generator[Cursor] {
	return rapid.Custom(func(t *rapid.T) Cursor {
		slots, numbers := rapid.IntRange(0, MaxSlots-1), rapid.Int64Range(1, math.MaxInt64)
		seen := rapid.MapOfN(slots, numbers, 0, 20).Draw(t, "seen")
		at := rapid.Int64Range(0, 1<<45).Draw(t, "at")
		return Cursor{At: time.UnixMilli(at).UTC(), Seen: seen}
	})
}

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := cursors().Draw(t, "cursor")
		got, err := ParseCursor(want.String())
		if err != nil {
			t.Fatalf("ParseCursor(%q): %v", want, err)
		}
		if !got.At.Equal(want.At) || !maps.Equal(got.Seen, want.Seen) {
			t.Errorf("cursor = %v, want %v", got, want)
		}
	})
}

func TestLargestCursorRoundTrip(t *testing.T) {
	want := Cursor{At: time.UnixMilli(1 << 40).UTC(), Seen: make(Vector)}
	for slot := range MaxSlots {
		want.Seen[slot] = math.MaxInt64
	}
	got, err := ParseCursor(want.String())
	if err != nil || !maps.Equal(got.Seen, want.Seen) {
		t.Errorf("ParseCursor: %v, %d slots", err, len(got.Seen))
	}
}

// A boxed sealer shows what it was given, and opens nothing else.
type boxed struct{ aad string }

func (b boxed) SealEqual(plain, aad []byte) []byte {
	return append([]byte(string(aad)+b.aad+"|"), plain...)
}

func (b boxed) Open(envelope, aad []byte) ([]byte, error) {
	plain, ok := strings.CutPrefix(string(envelope), string(aad)+b.aad+"|")
	if !ok {
		return nil, errors.New("another envelope")
	}
	return []byte(plain), nil
}

func TestSealedCursorRoundTrip(t *testing.T) {
	want := Cursor{At: time.UnixMilli(5).UTC(), Seen: Vector{3: 9, 7: 1 << 60}}
	for name, text := range map[string]string{"sealed": want.Sealed(boxed{}), "from before": want.String()} {
		got, err := OpenCursor(text, boxed{})
		if err != nil || !maps.Equal(got.Seen, want.Seen) || !got.At.Equal(want.At) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	for name, text := range map[string]string{
		"another key": want.Sealed(boxed{"x"}), "not a cursor": "AgAA", "empty": "", "cut": want.Sealed(boxed{})[:20],
	} {
		if got, err := OpenCursor(text, boxed{}); !errors.Is(err, ErrCursor) {
			t.Errorf("%s: %v, %v, want ErrCursor", name, got, err)
		}
	}
}

func TestParseCursorRejects(t *testing.T) {
	encode := func(b ...byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	valid := Cursor{At: time.UnixMilli(5), Seen: Vector{3: 9}}.String()
	for name, text := range map[string]string{
		"empty":                    "",
		"other text":               "hello there",
		"padding":                  valid + "=",
		"white space":              valid + "\n",
		"another version":          encode(2, 5, 3, 9),
		"no time":                  encode(1),
		"a slot without a number":  encode(1, 5, 3),
		"number zero":              encode(1, 5, 3, 0),
		"a truncated number":       encode(1, 5, 3, 0x80),
		"an overlong encoding":     encode(1, 5, 3, 0x89, 0),
		"a slot over the limit":    encode(1, 5, 0x80, 8, 9),
		"slots over the limit":     encode(1, 5, 0xff, 7, 9, 0, 9),
		"a number over int64":      encode(1, 5, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
		"longer than the longest":  strings.Repeat("A", maxCursor+1),
		"bits that base64 ignores": valid[:len(valid)-1] + string(valid[len(valid)-1]+1),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseCursor(text); !errors.Is(err, ErrCursor) {
				t.Errorf("ParseCursor(%q) = %v, %v; want ErrCursor", text, got, err)
			}
		})
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(Cursor{At: time.UnixMilli(1 << 40)}.String())
	f.Add(Cursor{At: time.UnixMilli(5), Seen: Vector{0: 1, 7: 1 << 60}}.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCursor(text)
		if err != nil {
			return
		}
		if got := c.String(); got != text {
			t.Errorf("%q is parsed but formatted as %q", text, got)
		}
		if len(c.Seen) > MaxSlots {
			t.Errorf("%d slots, want at most %d", len(c.Seen), MaxSlots)
		}
	})
}

func TestVectorNeverMovesBack(t *testing.T) {
	v := Vector{1: 5}
	v.Advance(1, 3)
	v.Advance(2, 7)
	if !v.Has(1, 5) || v.Has(1, 6) || !v.Has(2, 7) || v.Has(3, 1) {
		t.Errorf("after advancing: %v", v)
	}
}
