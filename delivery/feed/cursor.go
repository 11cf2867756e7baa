package feed

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"time"
)

// MaxSlots is how many slots a Cursor may name.
const MaxSlots = 1024

// A Vector is a position in the log: of each slot, the number of the latest
// entry seen. A slot that is not in it has not been seen.
type Vector map[int]int64

// Has reports whether an entry is at or before the position.
func (v Vector) Has(slot int, number int64) bool { return number <= v[slot] }

// Advance moves the position past an entry. It never moves back.
func (v Vector) Advance(slot int, number int64) {
	if number > v[slot] {
		v[slot] = number
	}
}

// Clone returns a copy that is never nil.
func (v Vector) Clone() Vector {
	c := make(Vector, len(v))
	maps.Copy(c, v)
	return c
}

// covers reports whether v is nowhere behind other.
func (v Vector) covers(other Vector) bool {
	for slot, number := range other {
		if v[slot] < number {
			return false
		}
	}
	return true
}

// join moves v to where it is nowhere behind other.
func (v Vector) join(other Vector) {
	for slot, number := range other {
		v.Advance(slot, number)
	}
}

// A Cursor is a position with the time at which everything up to it had been
// seen.
type Cursor struct {
	At   time.Time // to the millisecond
	Seen Vector
}

// clone returns a copy that may be changed.
func (c Cursor) clone() Cursor { return Cursor{At: c.At, Seen: c.Seen.Clone()} }

// cursorVersion is the first byte of every cursor, for formats to come.
const cursorVersion = 1

// maxCursor bounds the text of a cursor: the header and MaxSlots pairs.
var maxCursor = base64.RawURLEncoding.EncodedLen(1 + (1+2*MaxSlots)*binary.MaxVarintLen64)

// ErrCursor is the error of ParseCursor.
var ErrCursor = errors.New("this is not a cursor of the live log")

// String returns the cursor as opaque text. The same position and time always
// give the same text.
func (c Cursor) String() string {
	b := make([]byte, 1, 16+12*len(c.Seen))
	b[0] = cursorVersion
	b = binary.AppendUvarint(b, uint64(max(0, c.At.UnixMilli())))
	before := -1
	for _, slot := range slices.Sorted(maps.Keys(c.Seen)) {
		b = binary.AppendUvarint(b, uint64(slot-before-1))
		b = binary.AppendUvarint(b, uint64(c.Seen[slot]))
		before = slot
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads the text that String gives and returns ErrCursor for
// anything else, however similar.
func ParseCursor(text string) (Cursor, error) {
	if text == "" || len(text) > maxCursor {
		return Cursor{}, ErrCursor
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != cursorVersion {
		return Cursor{}, ErrCursor
	}
	numbers, ok := uvarints(b[1:])
	if !ok || len(numbers)%2 == 0 {
		return Cursor{}, ErrCursor
	}
	c := Cursor{At: time.UnixMilli(numbers[0]).UTC(), Seen: make(Vector, len(numbers)/2)}
	slot := int64(-1)
	for pair := numbers[1:]; len(pair) > 0; pair = pair[2:] {
		if pair[0] >= MaxSlots || pair[1] == 0 {
			return Cursor{}, ErrCursor
		}
		slot += pair[0] + 1
		if slot >= MaxSlots {
			return Cursor{}, ErrCursor
		}
		c.Seen[int(slot)] = pair[1]
	}
	// Varints and base64 have several spellings of one value; only ours is a
	// cursor.
	if c.String() != text {
		return Cursor{}, ErrCursor
	}
	return c, nil
}

// uvarints reads all of b as numbers up to the greatest int64.
func uvarints(b []byte) ([]int64, bool) {
	var numbers []int64
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > math.MaxInt64 {
			return nil, false
		}
		numbers, b = append(numbers, int64(n)), b[size:]
	}
	return numbers, true
}
