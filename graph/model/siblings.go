package model

import "sync"

// A Field is a field of siblings: objects that were returned together. The first
// access loads it for all siblings; it is safe for concurrent use.
type Field[V any] struct {
	once   sync.Once
	values []V
	err    error
}

// At returns the value of the sibling with index i. load must return one value for
// each sibling, in order; it is called at most once, and its error is returned for
// every sibling.
func (f *Field[V]) At(i int, load func() ([]V, error)) (V, error) {
	f.once.Do(func() { f.values, f.err = load() })
	if f.err != nil {
		var none V
		return none, f.err
	}
	return f.values[i], nil
}

// views returns the view of each element of all; nil for nil.
func views[T, V any](all []*T, view func(i int, t *T) *V) []*V {
	out := make([]*V, len(all))
	for i, t := range all {
		if t != nil {
			out[i] = view(i, t)
		}
	}
	return out
}
