package queue

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// A gate leads connections to a database until it is shut. Then it drops those that
// there are, and answers none of the new ones.
type gate struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	shut  bool
	conns []net.Conn
}

// newGate returns a gate to the database, and the URL of the database through it.
func newGate(t *testing.T, database string) (*gate, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the database is not named by a URL")
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, to: u.Host}
	var running sync.WaitGroup
	running.Go(func() { g.run(t.Context(), &running) })
	t.Cleanup(func() {
		_ = listener.Close()
		g.close(true)
		running.Wait()
	})
	u.Host = listener.Addr().String()
	return g, u.String()
}

func (g *gate) run(ctx context.Context, running *sync.WaitGroup) {
	for {
		near, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		g.conns = append(g.conns, near)
		if g.shut {
			g.mu.Unlock()
			continue
		}
		far, err := new(net.Dialer).DialContext(ctx, "tcp", g.to)
		if err != nil {
			_ = near.Close()
			g.mu.Unlock()
			continue
		}
		g.conns = append(g.conns, far)
		g.mu.Unlock()
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			running.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}
}

// close drops the connections; shut keeps new ones waiting.
func (g *gate) close(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.conns = nil
}

// The listen connection of a server breaks, and a new one hangs, while its pool works.
// It retracts its lock before another server may take it for dead.
func TestAHangingListenConnectionIsNoDeath(t *testing.T) {
	t.Parallel()
	database := enttest.Postgres(t)
	s, _ := joined(t, sqldb.Options{URL: database})
	g, direct := newGate(t, database)
	other, owner := joined(t, sqldb.Options{URL: database, Direct: direct})
	t.Cleanup(func() { g.close(true) }) // or the connection that hangs holds up the end
	lease(t, s, owner, 3)
	until(t, "the first may reap", postgres(s).listener.Steady)
	g.close(true)
	shut := time.Now()
	until(t, "the server would be dead for a lock that is free", func() bool {
		if n, err := s.Reap(t.Context(), observer, true); n != 0 || err != nil {
			t.Fatalf("Reap gave %d, %v, want none to be reaped", n, err)
		}
		return time.Since(shut) > 2*deadAfter && len(holders(t, s, owner)) == 0
	})
	if isLocked(t, s, owner) {
		t.Error("the lock that is free is still announced")
	}
	if err := other.Heartbeat(t.Context(), owner, longLease, true); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
	g.close(false)
	until(t, "the lock is announced again", func() bool { return isLocked(t, s, owner) })
}
