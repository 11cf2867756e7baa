package feed

import "math/bits"

// An Interest is what a subscriber wants to see of a log.
type Interest[T any] struct {
	// Key tells interests apart: those with the same one want the same entries.
	Key string
	// Wants reports whether an entry is wanted; nil wants all. It always
	// answers the same for the same entry, and at once: everybody waits for it.
	Wants func(entry T) bool
}

// A view is what the subscribers of one interest share: what of the ring they
// want, found out once for all of them when the ring grows. Nobody is woken for
// an entry that he does not want.
type view[T any] struct {
	wants   func(T) bool
	count   int           // subscribers
	changed chan struct{} // closed and replaced when the ring has got something wanted
	fresh   bool          // whether it has since
	wanted  []uint64      // a bit for each place in the ring
	lost    int64         // the index of the latest wanted entry that the ring has dropped
}

func newView[T any](wants func(T) bool, places int) *view[T] {
	if wants == nil {
		wants = func(T) bool { return true }
	}
	return &view[T]{
		wants: wants, changed: make(chan struct{}), wanted: make([]uint64, (places+63)/64), lost: -1,
	}
}

// add notes whether an entry that comes to a place is wanted, and reports it.
func (v *view[T]) add(place int64, entry T) bool {
	if !v.wants(entry) {
		return false
	}
	v.wanted[place/64] |= 1 << (place % 64)
	v.fresh = true
	return true
}

// drop notes that the entry with an index leaves its place.
func (v *view[T]) drop(place, index int64) {
	if v.wanted[place/64]&(1<<(place%64)) != 0 {
		v.wanted[place/64] &^= 1 << (place % 64)
		v.lost = index
	}
}

// announce wakes the subscribers when there is something for them.
func (v *view[T]) announce() {
	if v.fresh {
		close(v.changed)
		v.changed, v.fresh = make(chan struct{}), false
	}
}

// following returns the first index from index on, and before end, whose entry
// is wanted, or end.
func (v *view[T]) following(index, end, places int64) int64 {
	for index < end {
		place := index % places
		word := v.wanted[place/64] >> (place % 64)
		step := min(64-place%64, places-place) // to the end of the word, or of the ring
		if skip := int64(bits.TrailingZeros64(word)); skip < step {
			return min(index+skip, end)
		}
		index += step
	}
	return end
}
