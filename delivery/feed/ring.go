package feed

// A ring holds the latest entries of the log in the order in which they were
// read. Every entry has an index, which never changes and is never used again.
type ring[T any] struct {
	log     Log[T]
	entries []T
	bytes   int // of all entries
	most    int // bytes

	first, end int64  // indexes of the oldest entry and of the next one
	base, head Vector // the positions before the oldest entry and after the latest
}

func newRing[T any](entries, bytes int, at Vector, log Log[T]) *ring[T] {
	return &ring[T]{log: log, entries: make([]T, entries), most: bytes, base: at.Clone(), head: at.Clone()}
}

// add appends an entry in place of the oldest ones.
func (r *ring[T]) add(e T) {
	size := r.log.Size(e)
	for r.end > r.first && (r.end-r.first == int64(len(r.entries)) || r.bytes+size > r.most) {
		r.drop()
	}
	r.entries[r.end%int64(len(r.entries))] = e
	r.bytes += size
	r.end++
	r.head.Advance(r.log.Place(e))
}

func (r *ring[T]) drop() {
	var none T
	at := &r.entries[r.first%int64(len(r.entries))]
	r.bytes -= r.log.Size(*at)
	r.base.Advance(r.log.Place(*at))
	*at = none
	r.first++
}

// read appends to page entries from index next on that are not in seen, until
// page is full, and returns the index that follows.
func (r *ring[T]) read(page []T, next int64, seen Vector) ([]T, int64) {
	for ; next < r.end && len(page) < cap(page); next++ {
		e := r.entries[next%int64(len(r.entries))]
		if slot, number := r.log.Place(e); !seen.Has(slot, number) {
			page = append(page, e)
		}
	}
	return page, next
}
