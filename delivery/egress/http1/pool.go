package http1

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"
)

// A pool keeps the unused connections of a Transport. Their number per key, their
// number in all and their idle time are limited. A full pool closes the oldest.
type pool struct {
	perKey, total int
	ttl           time.Duration

	mu     sync.Mutex
	idle   map[string][]*conn // by key, most recently used last
	oldest *list.List         // of *conn, least recently used first
	expiry *time.Timer        // of the first in oldest
	closed bool
}

func newPool(o Options) *pool {
	return &pool{
		perKey: cmp.Or(o.IdlePerKey, 64), total: cmp.Or(o.Idle, 1024), ttl: cmp.Or(o.IdleTimeout, 45*time.Second),
		idle: map[string][]*conn{}, oldest: list.New(),
	}
}

// take removes and returns the most recently used connection with key, or nil.
func (p *pool) take(key string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[key]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	p.forget(c)
	return c
}

// put keeps c, or closes it if the pool is closed.
func (p *pool) put(c *conn) {
	if dropped := p.keep(c); dropped != nil {
		_ = dropped.Close()
	}
}

// keep adds c and returns the connection that must be closed for it, or nil.
func (p *pool) keep(c *conn) (dropped *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return c
	}
	switch same := p.idle[c.key]; {
	case len(same) >= p.perKey:
		dropped = same[0]
	case p.oldest.Len() >= p.total:
		dropped, _ = p.oldest.Front().Value.(*conn)
	}
	if dropped != nil {
		p.forget(dropped)
	}
	c.unused = time.Now()
	c.entry = p.oldest.PushBack(c)
	p.idle[c.key] = append(p.idle[c.key], c)
	if p.expiry == nil {
		p.expiry = time.AfterFunc(p.ttl, p.expire)
	}
	return dropped
}

// forget removes c. The caller holds the lock.
func (p *pool) forget(c *conn) {
	p.oldest.Remove(c.entry)
	list := p.idle[c.key]
	i := slices.Index(list, c)
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(p.idle, c.key)
		return
	}
	p.idle[c.key] = list
}

// expire closes the connections whose idle time is over and sets the timer for
// the next one.
func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expiry = nil
	for first := p.oldest.Front(); first != nil; first = p.oldest.Front() {
		c, _ := first.Value.(*conn)
		if left := p.ttl - time.Since(c.unused); left > 0 {
			p.expiry = time.AfterFunc(left, p.expire)
			return
		}
		p.forget(c)
		_ = c.Close()
	}
}

// close closes all connections in the pool, and every connection that is put later.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.expiry != nil {
		p.expiry.Stop()
		p.expiry = nil
	}
	for _, list := range p.idle {
		for _, c := range list {
			_ = c.Close()
		}
	}
	clear(p.idle)
	p.oldest.Init()
}
