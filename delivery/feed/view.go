package feed

import "math/bits"

// An Interest is a filter on the entries of a log.
type Interest[T any] struct {
	// Key identifies the filter: interests with equal keys match the same entries.
	Key string
	// Wants reports whether an entry matches; nil matches all. It must be a pure
	// function and must not block, because it delays all subscribers.
	Wants func(entry T) bool
}

// A view marks the entries of the ring that match an interest. Its subscribers share
// it, so that an entry is matched once for all of them, and they are woken only for
// matching entries.
type view[T any] struct {
	wants   func(T) bool
	count   int           // subscribers
	changed chan struct{} // closed and replaced when a matching entry was added
	fresh   bool          // whether one was added since changed was replaced
	matched []uint64      // bitmap of the cells with a matching entry
	lost    int64         // index of the latest matching entry that the ring has dropped
}

func newView[T any](wants func(T) bool, capacity int) *view[T] {
	if wants == nil {
		wants = func(T) bool { return true }
	}
	return &view[T]{
		wants: wants, changed: make(chan struct{}), matched: make([]uint64, (capacity+63)/64), lost: -1,
	}
}

// add marks the cell if the entry added to it matches, and reports whether it does.
func (v *view[T]) add(cell int64, entry T) bool {
	if !v.wants(entry) {
		return false
	}
	v.matched[cell/64] |= 1 << (cell % 64)
	v.fresh = true
	return true
}

// drop clears the mark of a cell whose entry, with this index, is dropped.
func (v *view[T]) drop(cell, index int64) {
	if v.matched[cell/64]&(1<<(cell%64)) != 0 {
		v.matched[cell/64] &^= 1 << (cell % 64)
		v.lost = index
	}
}

// announce wakes the subscribers if a matching entry was added.
func (v *view[T]) announce() {
	if v.fresh {
		close(v.changed)
		v.changed, v.fresh = make(chan struct{}), false
	}
}

// following returns the first index in [index, end) of a matching entry, or end.
func (v *view[T]) following(index, end, capacity int64) int64 {
	for index < end {
		cell := index % capacity
		word := v.matched[cell/64] >> (cell % 64)
		step := min(64-cell%64, capacity-cell) // to the end of the word, or of the ring
		if skip := int64(bits.TrailingZeros64(word)); skip < step {
			return min(index+skip, end)
		}
		index += step
	}
	return end
}
