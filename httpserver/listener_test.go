package httpserver

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// A pretended listener hands out connections from one address.
type pretended struct {
	net.Listener
	from   netip.Addr
	closed int
}

type fromAddr struct {
	net.Conn
	l *pretended
}

func (l *pretended) Accept() (net.Conn, error) {
	if !l.from.IsValid() {
		return nil, net.ErrClosed
	}
	return fromAddr{nil, l}, nil
}

func (c fromAddr) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.l.from, 1234))
}

func (c fromAddr) Close() error {
	c.l.closed++
	c.l.from = netip.Addr{} // no more
	return nil
}

// One address gets its share, a proxy as much as there is, and a place is free
// again when its connection is closed, however often that is done.
func TestListenerBoundsConnections(t *testing.T) {
	t.Parallel()
	fake := &pretended{from: netip.MustParseAddr("203.0.113.9")}
	l := Listen(fake, proxies)
	accept := func(n int) (last net.Conn) {
		t.Helper()
		for range n {
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			last = conn
		}
		return last
	}
	refused := func() {
		t.Helper()
		before := fake.closed
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || fake.closed != before+1 {
			t.Errorf("one too many: %v, want it closed and the next one waited for", err)
		}
	}
	held := accept(MaxPerAddress)
	refused()
	_ = held.Close()
	_ = held.Close()
	fake.from = netip.MustParseAddr("203.0.113.9")
	accept(1)
	refused()
	fake.from = netip.MustParseAddr("10.0.0.1")
	accept(MaxConnections - MaxPerAddress)
	refused()
}
