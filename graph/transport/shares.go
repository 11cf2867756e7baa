package transport

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// A Share says whose part of what all callers use together a request takes.
type Share struct {
	Key   string // of an organization, or of a caller or an address without one
	Whole bool   // the caller may use what there is, and an eighth is kept for such callers
}

// reserve is the part of a pool that is kept for callers with the whole of it.
const reserve = 8

// A pool is something that all callers use together: bytes of memory, requests in
// flight, or connections. It is safe for concurrent use.
type pool struct {
	all  int64
	each int64 // the most that one key may take, unless it takes all for one request

	mu    sync.Mutex
	taken int64
	byKey map[string]int64
}

func newPool(all, each int64) *pool {
	return &pool{all: all, each: each, byKey: map[string]int64{}}
}

// take takes n for a request that has taken own before, and reports whether there
// was room. The only request of a share gets more than the share's part, as it
// could never be answered otherwise.
func (p *pool) take(s Share, n, own int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	have, room := p.byKey[s.Key], p.all
	if !s.Whole {
		room -= p.all / reserve
		if have > own && have+n > p.each {
			return false
		}
	}
	if p.taken+n > room {
		return false
	}
	p.taken += n
	p.byKey[s.Key] = have + n
	return true
}

// release returns n of what the share has taken.
func (p *pool) release(s Share, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken -= n
	if p.byKey[s.Key] -= n; p.byKey[s.Key] == 0 {
		delete(p.byKey, s.Key)
	}
}

// A reservation is what one request has taken from a pool.
type reservation struct {
	pool  *pool
	share Share
	taken int64
}

// more takes n more and reports whether there was room.
func (r *reservation) more(n int64) bool {
	if !r.pool.take(r.share, n, r.taken) {
		return false
	}
	r.taken += n
	return true
}

func (r *reservation) release() {
	r.pool.release(r.share, r.taken)
	r.taken = 0
}

// turns let so many operations of a share run at once. Further ones wait.
type turns struct {
	each int64

	mu    sync.Mutex
	byKey map[string]*turn
}

type turn struct {
	running *semaphore.Weighted
	users   int // that run or wait
}

func newTurns(each int) *turns { return &turns{each: int64(each), byKey: map[string]*turn{}} }

// wait returns when an operation of the share may run, or with ctx's error. done
// must be called once.
func (t *turns) wait(ctx context.Context, s Share) (done func(), err error) {
	if s.Whole {
		return func() {}, nil
	}
	t.mu.Lock()
	one := t.byKey[s.Key]
	if one == nil {
		one = &turn{running: semaphore.NewWeighted(t.each)}
		t.byKey[s.Key] = one
	}
	one.users++
	t.mu.Unlock()
	if err := one.running.Acquire(ctx, 1); err != nil {
		t.leave(s, one)
		return nil, err
	}
	return func() {
		one.running.Release(1)
		t.leave(s, one)
	}, nil
}

func (t *turns) leave(s Share, one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(t.byKey, s.Key)
	}
}
