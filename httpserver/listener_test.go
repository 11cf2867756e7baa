package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// A pretended listener hands out connections from one address.
type pretended struct {
	net.Listener
	from netip.Addr
	errs []error // to be returned first
}

type fromAddr struct {
	net.Conn
	from   netip.Addr
	closed bool
}

func (l *pretended) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return &fromAddr{from: l.from}, nil
}

func (c *fromAddr) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 1234))
}

func (c *fromAddr) Close() error {
	c.closed = true
	return nil
}

// closed reports whether the listener has closed a connection that it returned.
func closed(conn net.Conn) bool { return conn.(*counted).Conn.(*fromAddr).closed }

// accept accepts n connections from an address and returns them.
func accept(t *testing.T, l *Listener, from string, n int) []net.Conn {
	t.Helper()
	l.Listener.(*pretended).from = netip.MustParseAddr(from)
	conns := make([]net.Conn, n)
	for i := range conns {
		var err error
		if conns[i], err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	return conns
}

// A network has a quarter of the connections. One more takes the place of its
// oldest, whatever addresses of the network they come from.
func TestANetworkHasAQuarterOfTheConnections(t *testing.T) {
	t.Parallel()
	l := Listen(&pretended{}, proxies, 80, nil)
	other := accept(t, l, "203.0.113.9", 1)[0]
	var all []net.Conn
	for i := range 21 {
		all = append(all, accept(t, l, fmt.Sprintf("2001:db8:1:2::%x", i+1), 1)[0])
	}
	for i, conn := range all {
		if got, want := closed(conn), i == 0; got != want {
			t.Errorf("connection %d of the network is closed: %t, want %t", i, got, want)
		}
	}
	if closed(other) {
		t.Error("another network has lost its connection")
	}
	for range 2 { // a place is given back once
		_ = all[1].Close()
	}
	accept(t, l, "2001:db8:1:2::1", 1)
	if closed(all[2]) {
		t.Error("there was a free place, and a connection was closed")
	}
}

// However many networks keep connections open, a newcomer gets in: the one with
// the most loses its oldest.
func TestANewcomerGetsIn(t *testing.T) {
	t.Parallel()
	l := Listen(&pretended{}, proxies, 80, nil)
	var first []net.Conn
	for i := range 4 {
		conns := accept(t, l, fmt.Sprintf("2001:db8:1:%x::1", i), 20-i)
		first = append(first, conns[0])
	}
	accept(t, l, "2001:db8:2::1", 6) // now there is no room
	check := accept(t, l, "203.0.113.9", 1)[0]
	if !closed(first[0]) || closed(first[1]) || closed(check) {
		t.Error("the largest network has not lost its oldest connection alone")
	}
}

// Connections of callers with valid credentials stay, up to a share's part.
func TestConnectionsWithCredentialsStay(t *testing.T) {
	t.Parallel()
	l := Listen(&pretended{}, proxies, 80, nil)
	conns := accept(t, l, "203.0.113.9", 20)
	for _, conn := range conns[:11] {
		Keep(ConnContext(context.Background(), conn), "acme")
	}
	accept(t, l, "203.0.113.9", 10)
	for i, conn := range conns {
		if got, want := closed(conn), i >= 10; got != want {
			t.Errorf("connection %d is closed: %t, want %t: an organization keeps ten of 80", i, got, want)
		}
	}
	if l.open != 20 || l.keeping != 10 {
		t.Errorf("%d connections, %d kept, want 20 and 10", l.open, l.keeping)
	}
}

// Proxies have as many connections as there are, and lose none to others.
func TestProxiesHaveNoNetworkOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := Listen(&pretended{}, proxies, 80, nil)
	conns := accept(t, l, "10.0.0.1", 80)
	l.Listener.(*pretended).errs = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = conns[0].Close()
	}()
	<-done
	accept(t, l, "203.0.113.9", 1)
	for i, conn := range conns[1:] {
		if closed(conn) {
			t.Fatalf("the proxy has lost its connection %d", i+1)
		}
	}
}

// A process that may open no more files closes a connection for the next one.
func TestAConnectionMakesRoomWhenThereAreNoFiles(t *testing.T) {
	t.Parallel()
	broken := errors.New("the listener is broken")
	none := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	l := Listen(&pretended{}, proxies, 80, nil)
	conns := accept(t, l, "203.0.113.9", 2)
	l.Listener.(*pretended).errs = []error{none, none, none, broken}
	_, err := l.Accept()
	if !errors.Is(err, syscall.EMFILE) || !closed(conns[0]) || !closed(conns[1]) {
		t.Errorf("%v, want both connections closed before the error", err)
	}
	if _, err := l.Accept(); !errors.Is(err, broken) {
		t.Errorf("another error: %v", err)
	}
}

// There are fewer connections where the system allows fewer files.
func TestConnectionsFitTheFiles(t *testing.T) {
	t.Parallel()
	for files, want := range map[uint64]int{1 << 62: MaxConnections, 4096: MaxConnections, 1024: 824, 100: 0} {
		if got := Fit(files, 200); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}
