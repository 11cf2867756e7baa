package feed

// A ring holds the latest entries of the log in the order in which they were read.
// Every entry has a unique index that never changes.
type ring[T any] struct {
	log   Log[T]
	views map[string]*view[T] // shared with the hub
	text  func(Cursor) string
	cells []cell[T]
	bytes int // of all entries
	limit int // of bytes

	first, end int64  // index of the oldest entry and of the next one
	base       Vector // position before the oldest entry
	head       Cursor // position after the latest entry
	edge       Cursor // immutable copy of head
}

// A cell of the ring holds an entry and, if it matches a view, the text of the cursor
// after it.
type cell[T any] struct {
	entry  T
	cursor string
}

func newRing[T any](o Options, at Cursor, log Log[T], views map[string]*view[T]) *ring[T] {
	return &ring[T]{
		log: log, views: views, text: o.Text, cells: make([]cell[T], o.Entries), limit: o.Bytes,
		base: at.Seen.Clone(), head: at.clone(), edge: at.clone(),
	}
}

func (r *ring[T]) capacity() int64 { return int64(len(r.cells)) }

func (r *ring[T]) at(index int64) *cell[T] { return &r.cells[index%r.capacity()] }

// grow appends entries and drops the oldest ones.
func (r *ring[T]) grow(entries []T) {
	for _, e := range entries {
		r.add(e)
	}
	r.edge = r.head.clone()
}

func (r *ring[T]) add(e T) {
	size := r.log.Size(e)
	for r.end > r.first && (r.end-r.first == r.capacity() || r.bytes+size > r.limit) {
		r.drop()
	}
	r.log.pass(&r.head, e)
	added := cell[T]{entry: e}
	for _, v := range r.views {
		if v.add(r.end%r.capacity(), e) && added.cursor == "" {
			added.cursor = r.text(r.head)
		}
	}
	*r.at(r.end) = added
	r.bytes += size
	r.end++
}

func (r *ring[T]) drop() {
	oldest := r.at(r.first)
	for _, v := range r.views {
		v.drop(r.first%r.capacity(), r.first)
	}
	r.bytes -= r.log.Size(oldest.entry)
	r.base.Advance(r.log.Place(oldest.entry))
	*oldest = cell[T]{}
	r.first++
}
