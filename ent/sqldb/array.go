package sqldb

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"

	"github.com/lib/pq"
	"github.com/lib/pq/oid"
)

// Array returns an argument of a statement: slice, a pointer to a slice, for an
// array of bigint, boolean, text or bytea. Where the connection takes it, it is
// sent in PostgreSQL's binary form, which neither side has to quote and parse:
// JSON is full of what has to be quoted.
func Array(slice any) driver.Valuer { return array{slice} }

type array struct{ slice any }

// Value implements [driver.Valuer]. It returns the array as text.
func (a array) Value() (driver.Value, error) { return pq.Array(a.slice).Value() }

// BinaryValue returns the array in binary form; lib/pq asks for it when
// parameters are binary.
func (a array) BinaryValue() ([]byte, error) {
	switch s := a.slice.(type) {
	case *[]int64:
		return packed(*s, oid.T_int8, func(int64) int { return 8 }, func(b []byte, v int64) []byte {
			return binary.BigEndian.AppendUint64(b, uint64(v))
		}), nil
	case *[]bool:
		return packed(*s, oid.T_bool, func(bool) int { return 1 }, func(b []byte, v bool) []byte {
			if v {
				return append(b, 1)
			}
			return append(b, 0)
		}), nil
	case *[]string:
		return packed(*s, oid.T_text, func(v string) int { return len(v) }, func(b []byte, v string) []byte {
			return append(b, v...)
		}), nil
	case *[][]byte:
		return packed(*s, oid.T_bytea, func(v []byte) int { return len(v) }, func(b, v []byte) []byte {
			return append(b, v...)
		}), nil
	}
	return nil, fmt.Errorf("an array of %T is not known", a.slice)
}

// packed writes the dimensions of an array, then each value after its length.
func packed[T any](values []T, kind oid.Oid, size func(T) int, write func([]byte, T) []byte) []byte {
	total := 20 + 4*len(values)
	for _, v := range values {
		total += size(v)
	}
	b := make([]byte, 0, total)
	dimensions := uint32(min(1, len(values)))
	for _, word := range []uint32{dimensions, 0, uint32(kind)} { // 0: none is null
		b = binary.BigEndian.AppendUint32(b, word)
	}
	if dimensions == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	b = binary.BigEndian.AppendUint32(b, 1) // the first subscript
	for _, v := range values {
		b = write(binary.BigEndian.AppendUint32(b, uint32(size(v))), v)
	}
	return b
}
