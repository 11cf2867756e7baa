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

// MaxSlots is the maximum number of slots in a Cursor.
const MaxSlots = 1024

// A Vector is a position in the log: the number of the latest entry seen in each
// slot. No entry of an absent slot has been seen.
type Vector map[int]int64

// Has reports whether an entry is at or before the position.
func (v Vector) Has(slot int, number int64) bool { return number <= v[slot] }

// Advance moves the position past an entry. It never moves the position back.
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

// covers reports whether v is at or after other in every slot.
func (v Vector) covers(other Vector) bool {
	for slot, number := range other {
		if v[slot] < number {
			return false
		}
	}
	return true
}

// join advances v so that it covers other.
func (v Vector) join(other Vector) {
	for slot, number := range other {
		v.Advance(slot, number)
	}
}

// A Cursor is a position and the time of the latest entry before it.
type Cursor struct {
	At   time.Time // to the millisecond
	Seen Vector
}

// clone returns a copy that may be modified.
func (c Cursor) clone() Cursor { return Cursor{At: c.At, Seen: c.Seen.Clone()} }

// The first byte of a cursor identifies its format.
const (
	cursorVersion = 1
	sealedVersion = 2 // an envelope of the bytes of a cursor follows
)

// maxCursor bounds the text of a cursor: the header, MaxSlots pairs, and what an
// envelope adds to them.
var maxCursor = base64.RawURLEncoding.EncodedLen(1 + (1+2*MaxSlots)*binary.MaxVarintLen64 + maxEnvelope)

const maxEnvelope = 512

// ErrCursor is returned by ParseCursor for text that is not a cursor.
var ErrCursor = errors.New("this is not a cursor of the delivery log")

// String returns the cursor as text, which anyone can read. Equal cursors have
// equal texts.
func (c Cursor) String() string { return base64.RawURLEncoding.EncodeToString(c.bytes()) }

// A Sealer makes bytes unreadable for all but those who share its keys.
type Sealer interface {
	SealEqual(plain, aad []byte) []byte
	Open(envelope, aad []byte) ([]byte, error)
}

// cursorAAD binds an envelope to its use as a cursor.
var cursorAAD = []byte("cursor of the delivery log")

// Sealed returns the cursor as text that only the sealer's keys open: a position
// says when the latest entry of each slot was written, of all organizations. Equal
// cursors have equal texts: clients drop repeats by them.
func (c Cursor) Sealed(s Sealer) string {
	return base64.RawURLEncoding.EncodeToString(
		append([]byte{sealedVersion}, s.SealEqual(c.bytes(), cursorAAD)...))
}

// OpenCursor parses the result of Sealed or String. It returns ErrCursor for any
// other text.
func OpenCursor(text string, s Sealer) (Cursor, error) {
	if len(text) > maxCursor {
		return Cursor{}, ErrCursor
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != sealedVersion {
		return ParseCursor(text)
	}
	plain, err := s.Open(b[1:], cursorAAD)
	if err != nil {
		return Cursor{}, ErrCursor
	}
	return ParseCursor(base64.RawURLEncoding.EncodeToString(plain))
}

func (c Cursor) bytes() []byte {
	b := make([]byte, 1, 16+12*len(c.Seen))
	b[0] = cursorVersion
	b = binary.AppendUvarint(b, uint64(max(0, c.At.UnixMilli())))
	previous := -1
	for _, slot := range slices.Sorted(maps.Keys(c.Seen)) {
		b = binary.AppendUvarint(b, uint64(slot-previous-1))
		b = binary.AppendUvarint(b, uint64(c.Seen[slot]))
		previous = slot
	}
	return b
}

// ParseCursor parses the result of String. It returns ErrCursor for any other text.
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
	// Varints and base64 have several encodings of a value; only that of String is
	// accepted.
	if c.String() != text {
		return Cursor{}, ErrCursor
	}
	return c, nil
}

// uvarints decodes b as a sequence of numbers up to the maximum int64.
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
