package feed

// A ring holds the latest entries of the log in the order in which they were
// read. Every entry has an index, which never changes and is never used again.
type ring[T any] struct {
	log   Log[T]
	views map[string]*view[T] // the hub's
	held  []held[T]
	bytes int // of all entries
	most  int // bytes

	first, end int64  // indexes of the oldest entry and of the next one
	base       Vector // the position before the oldest entry
	head       Cursor // after the latest
	edge       Cursor // a copy of head that is never changed
}

// A held entry has the text of the cursor behind it when a view wants it.
type held[T any] struct {
	entry  T
	cursor string
}

func newRing[T any](o Options, at Cursor, log Log[T], views map[string]*view[T]) *ring[T] {
	return &ring[T]{
		log: log, views: views, held: make([]held[T], o.Entries), most: o.Bytes,
		base: at.Seen.Clone(), head: at.clone(), edge: at.clone(),
	}
}

func (r *ring[T]) places() int64 { return int64(len(r.held)) }

func (r *ring[T]) at(index int64) *held[T] { return &r.held[index%r.places()] }

// grow appends entries, in place of the oldest ones.
func (r *ring[T]) grow(entries []T) {
	for _, e := range entries {
		r.add(e)
	}
	r.edge = r.head.clone()
}

func (r *ring[T]) add(e T) {
	size := r.log.Size(e)
	for r.end > r.first && (r.end-r.first == r.places() || r.bytes+size > r.most) {
		r.drop()
	}
	r.log.pass(&r.head, e)
	added := held[T]{entry: e}
	for _, v := range r.views {
		if v.add(r.end%r.places(), e) && added.cursor == "" {
			added.cursor = r.head.String()
		}
	}
	*r.at(r.end) = added
	r.bytes += size
	r.end++
}

func (r *ring[T]) drop() {
	oldest := r.at(r.first)
	for _, v := range r.views {
		v.drop(r.first%r.places(), r.first)
	}
	r.bytes -= r.log.Size(oldest.entry)
	r.base.Advance(r.log.Place(oldest.entry))
	*oldest = held[T]{}
	r.first++
}
