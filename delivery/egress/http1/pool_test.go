package http1

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A piped connection leads nowhere; isOpen tells whether it is closed.
type piped struct {
	*conn
	far net.Conn
}

func pipe(t *testing.T, key string) piped {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return piped{newConn(key, ours), theirs}
}

func (p piped) isOpen() bool {
	_ = p.far.SetReadDeadline(longAgo())
	_, err := p.far.Read(make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

func smallPool(t *testing.T) *pool {
	t.Helper()
	p := newPool(Options{IdlePerKey: 2, Idle: 3, IdleTimeout: time.Minute})
	t.Cleanup(p.close)
	return p
}

func TestPoolGivesTheConnectionUsedLast(t *testing.T) {
	p := smallPool(t)
	first, second, other := pipe(t, "a"), pipe(t, "a"), pipe(t, "b")
	p.put(first.conn)
	p.put(second.conn)
	p.put(other.conn)
	for i, want := range []*conn{second.conn, first.conn, nil} {
		if got := p.take("a"); got != want {
			t.Errorf("take %d gives %p, want %p", i, got, want)
		}
	}
	if got := p.take("b"); got != other.conn {
		t.Errorf("the other place has %p, want %p", got, other.conn)
	}
	if len(p.idle) != 0 || p.oldest.Len() != 0 {
		t.Errorf("an empty pool remembers %d places and %d connections", len(p.idle), p.oldest.Len())
	}
}

func TestPoolClosesTheOldestWhenItIsFull(t *testing.T) {
	for name, tt := range map[string]struct{ keys, open string }{
		"for one place":                          {keys: "aaab", open: "-aab"},
		"in all":                                 {keys: "abcd", open: "-bcd"},
		"for its place before the oldest of all": {keys: "baaa", open: "b-aa"},
	} {
		t.Run(name, func(t *testing.T) {
			p := smallPool(t)
			var all []piped
			for _, key := range tt.keys {
				all = append(all, pipe(t, string(key)))
				p.put(all[len(all)-1].conn)
			}
			got := ""
			for _, c := range all {
				if c.isOpen() {
					got += c.key
				} else {
					got += "-"
				}
			}
			if got != tt.open {
				t.Errorf("of %s stay %s, want %s", tt.keys, got, tt.open)
			}
		})
	}
}

func TestPoolClosesWhatIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := smallPool(t)
		early, late, used := pipe(t, "a"), pipe(t, "b"), pipe(t, "c")
		p.put(early.conn)
		p.put(used.conn)
		time.Sleep(40 * time.Second)
		p.put(late.conn)
		p.put(p.take("c"))
		for _, step := range []struct {
			after             time.Duration
			early, late, used bool
		}{
			{after: 19 * time.Second, early: true, late: true, used: true},
			{after: 2 * time.Second, late: true, used: true},
			{after: 40 * time.Second},
		} {
			time.Sleep(step.after)
			synctest.Wait()
			if early.isOpen() != step.early || late.isOpen() != step.late || used.isOpen() != step.used {
				t.Errorf("%s on, open are %t, %t, %t, want %t, %t, %t", step.after,
					early.isOpen(), late.isOpen(), used.isOpen(), step.early, step.late, step.used)
			}
		}
		if p.expiry != nil {
			t.Error("an empty pool has a timer")
		}
	})
}

func TestPoolClosesEverythingInTheEnd(t *testing.T) {
	p := smallPool(t)
	unused, inUse := pipe(t, "a"), pipe(t, "a")
	p.put(unused.conn)
	p.close()
	p.put(inUse.conn)
	if unused.isOpen() || inUse.isOpen() {
		t.Errorf("open are %t, %t, want none", unused.isOpen(), inUse.isOpen())
	}
	if p.take("a") != nil {
		t.Error("a closed connection is given out")
	}
}
