package queue

import (
	"slices"
	"sync"
	"time"
)

// webhookCacheLife is how long the webhooks that have rows are taken for the
// same.
const webhookCacheLife = time.Second

// A webhookCache holds all webhooks that have rows in the queue, for a moment.
type webhookCache struct {
	mu    sync.Mutex
	all   []candidate
	since time.Time
}

// get returns the webhooks; nil when they are not known, or are n or more.
func (c *webhookCache) get(now time.Time, n int) []candidate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= webhookCacheLife || len(c.all) >= n {
		return nil
	}
	return slices.Clone(c.all)
}

func (c *webhookCache) set(now time.Time, all []candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all, c.since = slices.Clone(all), now
}

// drop makes the next claim read the webhooks again.
func (c *webhookCache) drop() { c.set(time.Time{}, nil) }
