package httpserver

import (
	"net"
	"net/netip"
	"sync"
)

// The most connections that a server has at once, and the most from one
// address.
const (
	MaxConnections = 2_000
	MaxPerAddress  = 500
)

// A Listener bounds the connections to a server. One too many is closed at
// once: to let it wait would keep health checks waiting too.
type Listener struct {
	net.Listener
	proxies Proxies

	mu     sync.Mutex
	open   int
	byAddr map[netip.Addr]int
}

// Listen returns a Listener on top of l. The number for one address does not
// apply to proxies: they carry the requests of all callers.
func Listen(l net.Listener, proxies Proxies) *Listener {
	return &Listener{Listener: l, proxies: proxies, byAddr: make(map[netip.Addr]int)}
}

// Accept returns the next connection that there is room for.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr, _ := parseAddr(conn.RemoteAddr().String())
		if l.enter(addr) {
			return &counted{Conn: conn, leave: sync.OnceFunc(func() { l.leave(addr) })}, nil
		}
		_ = conn.Close() // it was never used
	}
}

func (l *Listener) enter(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= MaxConnections || l.byAddr[addr] >= MaxPerAddress && !l.proxies.trust(addr) {
		return false
	}
	l.open++
	l.byAddr[addr]++
	return true
}

func (l *Listener) leave(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byAddr[addr]--; l.byAddr[addr] == 0 {
		delete(l.byAddr, addr)
	}
}

// A counted connection gives its place back when it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
