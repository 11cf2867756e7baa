package ent

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"slices"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A listing is the order of one list: by a column, and by id where that is the
// same. The column holds whole numbers, or bytes with text set.
type listing struct {
	kind       byte // marks the cursors, so that those of other lists are refused
	column     string
	text       bool
	descending bool
}

// A position is where a row stands in its listing.
type position struct {
	number int64
	text   []byte
	id     int64
}

// cursor writes p as opaque text: the kind, the id, the key, a checksum.
func (l listing) cursor(p position) string {
	b := binary.BigEndian.AppendUint64([]byte{l.kind}, uint64(p.id))
	if l.text {
		b = append(b, p.text...)
	} else {
		b = binary.BigEndian.AppendUint64(b, uint64(p.number))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parse reads what cursor wrote. Anything else, also another list's cursor, is
// Invalid.
func (l listing) parse(field, cursor string) (position, error) {
	invalid := delivery.Errorf(delivery.Invalid, field,
		"This cursor is not one of this list. Use a cursor that the same list has given out, or none.")
	const head, sum = 1 + 8, 4
	b, ok := sqldb.ReadCursor(cursor)
	if !ok || len(b) < head+sum || b[0] != l.kind {
		return position{}, invalid
	}
	body, check := b[:len(b)-sum], binary.BigEndian.Uint32(b[len(b)-sum:])
	if crc32.ChecksumIEEE(body) != check {
		return position{}, invalid
	}
	p := position{id: int64(binary.BigEndian.Uint64(body[1:]))}
	switch key := body[head:]; {
	case l.text:
		p.text = key
	case len(key) == 8:
		p.number = int64(binary.BigEndian.Uint64(key))
	default:
		return position{}, invalid
	}
	return p, nil
}

// beside narrows to the rows on one side of p: the later rows of the list, or the
// earlier ones; with also set, p itself too.
func (l listing) beside(s *entsql.Selector, p position, later, also bool) {
	op := " < "
	if later != l.descending {
		op = " > "
	}
	if also {
		op = op[:2] + "= "
	}
	var key any = p.number
	if l.text {
		key = p.text
	}
	s.Where(entsql.P(func(b *entsql.Builder) {
		b.Wrap(func(b *entsql.Builder) { b.IdentComma(s.C(l.column), s.C("id")) })
		b.WriteString(op)
		b.Wrap(func(b *entsql.Builder) { b.Args(key, p.id) })
	}))
}

// sort orders the rows as the list has them, or backwards.
func (l listing) sort(s *entsql.Selector, backwards bool) {
	direction := entsql.Asc
	if l.descending != backwards {
		direction = entsql.Desc
	}
	s.OrderBy(direction(s.C(l.column)), direction(s.C("id")))
}

// A list reads rows of type R in the order of a listing.
type list[R any] struct {
	listing
	fetch func(ctx context.Context, narrow func(*entsql.Selector)) ([]R, error)
	at    func(R) position
}

// A window is a page whose cursors have been read.
type window struct {
	after, before *position
	backwards     bool
	size          int
}

func (l listing) window(p delivery.Page) (window, error) {
	w := window{size: p.First}
	if p.First <= 0 && p.Last > 0 {
		w.backwards, w.size = true, p.Last
	}
	if w.size <= 0 {
		w.size = delivery.DefaultPageSize
	}
	w.size = min(w.size, sqldb.MaxPage)
	for _, end := range []struct {
		field, cursor string
		to            **position
	}{{"after", p.After, &w.after}, {"before", p.Before, &w.before}} {
		if end.cursor == "" {
			continue
		}
		at, err := l.parse(end.field, end.cursor)
		if err != nil {
			return window{}, err
		}
		*end.to = &at
	}
	return w, nil
}

// page reads one slice. It asks for one row more than it returns, to know
// whether there is one; at a cursor's far side it looks whether a row is left.
func (l list[R]) page(ctx context.Context, p delivery.Page) (delivery.Slice[R], error) {
	w, err := l.window(p)
	if err != nil {
		return delivery.Slice[R]{}, err
	}
	rows, err := l.fetch(ctx, func(s *entsql.Selector) {
		if w.after != nil {
			l.beside(s, *w.after, true, false)
		}
		if w.before != nil {
			l.beside(s, *w.before, false, false)
		}
		l.sort(s, w.backwards)
		s.Limit(w.size + 1)
	})
	if err != nil {
		return delivery.Slice[R]{}, err
	}
	more := len(rows) > w.size
	rows = rows[:min(len(rows), w.size)]
	if w.backwards {
		slices.Reverse(rows)
	}
	slice := delivery.Slice[R]{Items: rows, Cursors: make([]string, len(rows)), Total: -1}
	for i, row := range rows {
		slice.Cursors[i] = l.cursor(l.at(row))
	}
	if slice.HasNext = more && !w.backwards; !slice.HasNext {
		if slice.HasNext, err = l.has(ctx, w.before, true); err != nil {
			return delivery.Slice[R]{}, err
		}
	}
	if slice.HasPrev = more && w.backwards; !slice.HasPrev {
		slice.HasPrev, err = l.has(ctx, w.after, false)
	}
	return slice, err
}

// has reports whether the list has a row at from or on its given side.
func (l list[R]) has(ctx context.Context, from *position, later bool) (bool, error) {
	if from == nil {
		return false, nil
	}
	rows, err := l.fetch(ctx, func(s *entsql.Selector) {
		l.beside(s, *from, later, true)
		s.Limit(1)
	})
	return len(rows) > 0, err
}

// convertSlice converts the rows of a slice. The total stays.
func convertSlice[R, T any](from delivery.Slice[R], convert func(R) T) delivery.Slice[T] {
	return delivery.Slice[T]{
		Items:   convertAll(from.Items, convert),
		Cursors: from.Cursors,
		HasNext: from.HasNext,
		HasPrev: from.HasPrev,
		Total:   from.Total,
	}
}

func convertAll[R, T any](rows []R, convert func(R) T) []T {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = convert(row)
	}
	return all
}
