package memstore

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"portalhooks/delivery"
)

// maxPage bounds a page, whatever is asked for.
const maxPage = 1000

// A listing is the order of one list: by key, and by id where keys are equal.
type listing[T any] struct {
	kind       byte // marks the cursors, so that those of other lists are refused
	key        func(*T) string
	id         func(*T) int64
	descending bool
}

// A position is where an element stands in a listing.
type position struct {
	key string
	id  int64
}

func (l listing[T]) at(one *T) position { return position{l.key(one), l.id(one)} }

func (l listing[T]) compare(a, b position) int {
	order := cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.id, b.id))
	if l.descending {
		return -order
	}
	return order
}

// page sorts all and cuts one page out of it. It returns Invalid for a cursor of
// another list.
func (l listing[T]) page(all []T, p delivery.Page) (delivery.Slice[T], error) {
	slices.SortFunc(all, func(a, b T) int { return l.compare(l.at(&a), l.at(&b)) })
	from, to := 0, len(all)
	if p.After != "" {
		i, found, err := l.find(all, "after", p.After)
		if err != nil {
			return delivery.Slice[T]{}, err
		}
		if from = i; found {
			from++
		}
	}
	if p.Before != "" {
		i, _, err := l.find(all, "before", p.Before)
		if err != nil {
			return delivery.Slice[T]{}, err
		}
		to = max(from, i)
	}
	if p.First <= 0 && p.Last > 0 {
		from = max(from, to-min(p.Last, maxPage))
	} else {
		to = min(to, from+min(cmp.Or(p.First, delivery.DefaultPageSize), maxPage))
	}
	s := delivery.Slice[T]{
		Items: slices.Clone(all[from:to]), Cursors: make([]string, to-from),
		HasNext: to < len(all), HasPrev: from > 0, Total: -1,
	}
	for i := range s.Items {
		s.Cursors[i] = l.cursor(l.at(&s.Items[i]))
	}
	return s, nil
}

// find returns where the position that a cursor names is, or would be, in all.
func (l listing[T]) find(all []T, field, cursor string) (i int, found bool, err error) {
	at, ok := l.parse(cursor)
	if !ok {
		return 0, false, delivery.Errorf(delivery.Invalid, field, "This cursor is not one of this list.")
	}
	i, found = slices.BinarySearchFunc(all, at, func(one T, at position) int {
		return l.compare(l.at(&one), at)
	})
	return i, found, nil
}

// cursor writes a position as opaque text: the kind, the id, the key, a checksum.
func (l listing[T]) cursor(p position) string {
	b := binary.BigEndian.AppendUint64([]byte{l.kind}, uint64(p.id))
	b = append(b, p.key...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// parse reads what cursor wrote.
func (l listing[T]) parse(cursor string) (p position, ok bool) {
	const head, sum = 1 + 8, 4
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < head+sum || b[0] != l.kind {
		return position{}, false
	}
	body, check := b[:len(b)-sum], binary.BigEndian.Uint32(b[len(b)-sum:])
	p = position{key: string(body[head:]), id: int64(binary.BigEndian.Uint64(body[1:]))}
	return p, crc32.ChecksumIEEE(body) == check
}

// newest is the listing by id, the greatest first.
func newest[T any](kind byte, id func(*T) int64) listing[T] {
	return listing[T]{kind: kind, key: func(*T) string { return "" }, id: id, descending: true}
}

// timeKey orders times, to the microsecond.
func timeKey(t time.Time) string { return numberKey(t.UnixMicro()) }

// numberKey orders numbers.
func numberKey(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63)) }

// fold returns text in lower case and without accents, for sorting and searching.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
}

// within reports whether a search finds one of the texts.
func within(search string, texts ...string) bool {
	return strings.Contains(fold(strings.Join(texts, "\n")), fold(search))
}
