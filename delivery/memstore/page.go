package memstore

import (
	"slices"
	"strconv"

	"portalhooks/delivery"
)

// paged cuts a page out of a sorted list; cursors are positions.
func paged[T any](all []T, p delivery.Page, total bool) delivery.Slice[T] {
	from, to := 0, len(all)
	if n, err := strconv.Atoi(p.After); err == nil {
		from = n + 1
	}
	if n, err := strconv.Atoi(p.Before); err == nil {
		to = n
	}
	if p.First > 0 {
		to = min(to, from+p.First)
	} else {
		from = max(from, to-p.Last)
	}
	s := delivery.Slice[T]{
		Items:   slices.Clone(all[from:to]),
		HasNext: to < len(all),
		HasPrev: from > 0,
		Total:   -1,
	}
	for i := from; i < to; i++ {
		s.Cursors = append(s.Cursors, strconv.Itoa(i))
	}
	if total {
		s.Total = len(all)
	}
	return s
}
