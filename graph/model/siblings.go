package model

import "sync"

// A Field is one field of things that were returned together. The first
// question loads it for all of them; each is then answered from that.
type Field[V any] struct {
	once   sync.Once
	values []V
	err    error
}

// At returns the value for the sibling with index i. Load must return one
// value for each sibling, in their order; it is called at most once.
func (f *Field[V]) At(i int, load func() ([]V, error)) (V, error) {
	f.once.Do(func() { f.values, f.err = load() })
	if f.err != nil {
		var none V
		return none, f.err
	}
	return f.values[i], nil
}

// views shows each of all; a missing one stays nil.
func views[T, V any](all []*T, view func(i int, t *T) *V) []*V {
	out := make([]*V, len(all))
	for i, t := range all {
		if t != nil {
			out[i] = view(i, t)
		}
	}
	return out
}
