package cache

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A weighed cache is bounded by what its entries weigh, in bytes, and forgets what
// was not used for longest. It keeps the latest entry whatever that weighs. It is
// safe for concurrent use.
type weighed[K comparable, V any] struct {
	limit  int
	weight func(V) int

	mu      sync.Mutex
	all     int // bytes
	entries *simplelru.LRU[K, weighedEntry[V]]
}

type weighedEntry[V any] struct {
	value  V
	weight int
}

func newWeighed[K comparable, V any](limit int, weight func(V) int) *weighed[K, V] {
	c := &weighed[K, V]{limit: limit, weight: weight}
	// Each entry weighs something, so there are never more than limit.
	c.entries, _ = simplelru.NewLRU(limit, func(_ K, e weighedEntry[V]) { c.all -= e.weight })
	return c
}

// Get returns the value of the key.
func (c *weighed[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Get(key)
	return e.value, ok
}

// Add keeps the value of the key, and forgets others for it.
func (c *weighed[K, V]) Add(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
	e := weighedEntry[V]{value, max(1, c.weight(value))}
	c.all += e.weight
	c.entries.Add(key, e)
	for c.all > c.limit && c.entries.Len() > 1 {
		c.entries.RemoveOldest()
	}
}

// Remove forgets the key.
func (c *weighed[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}
