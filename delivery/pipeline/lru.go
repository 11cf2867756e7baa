package pipeline

import lru "github.com/hashicorp/golang-lru/v2"

// newLRU returns a bounded cache that forgets what was not used for longest. It
// is safe for concurrent use.
func newLRU[K comparable, V any](limit int) *lru.Cache[K, V] {
	cache, _ := lru.New[K, V](limit) // fails for limits below 1 only
	return cache
}
