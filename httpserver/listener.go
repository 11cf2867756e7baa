package httpserver

import (
	"cmp"
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
)

// MaxConnections is how many connections a server has at once at most, where the
// system allows it.
const MaxConnections = 2_000

// A Listener bounds the connections to a server. When there is no room for another
// one, the network with the most of them loses its oldest that has shown no valid
// credentials: so health checks and new callers get in, however many connections
// others keep open.
type Listener struct {
	net.Listener
	proxies  Proxies
	refusals *Refusals
	most     int // in all
	network  int // from one network
	kept     int // with valid credentials, of one share

	mu       sync.Mutex
	open     int
	keeping  int            // connections with valid credentials, of all shares
	shares   map[string]int // the same, by share
	networks map[string]*network
}

// A network is where connections come from: an address, and of IPv6 the network.
type network struct {
	open  int
	loose *list.List // of *counted without valid credentials, oldest first
}

// Listen returns a Listener on top of l for so many connections, of which a quarter
// may come from one network. The part of one network does not apply to proxies:
// they carry the requests of all callers.
func Listen(l net.Listener, proxies Proxies, most int, refusals *Refusals) *Listener {
	return &Listener{
		Listener: l, proxies: proxies, refusals: refusals,
		most: most, network: max(1, most/4), kept: max(1, most/8),
		shares: make(map[string]int), networks: make(map[string]*network),
	}
}

// Accept returns the next connection that there is room for.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.refusals.Note(NoFile, "")
			if gone := l.evict(); gone != nil {
				_ = gone.Close()
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		addr, _ := parseAddr(conn.RemoteAddr().String())
		c := &counted{Conn: conn, l: l, from: Address(addr.String()), proxy: l.proxies.trust(addr)}
		entered, gone := l.enter(c)
		if gone != nil {
			l.refusals.Note(Crowded, gone.from)
			_ = gone.Close()
		}
		if entered {
			return c, nil
		}
		l.refusals.Note(Crowded, c.from)
		_ = conn.Close() // it was never used
	}
}

// enter counts c, if there is room. gone is the connection that made room for it
// and has to be closed.
func (l *Listener) enter(c *counted) (entered bool, gone *counted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.networks[c.from]
	switch {
	case from != nil && from.open >= l.network && !c.proxy:
		gone = from.oldest()
	case l.open >= l.most:
		gone = l.crowded()
	}
	if gone != nil {
		l.leave(gone)
		from = l.networks[c.from] // it may have been the last one
	}
	if l.open >= l.most || from != nil && from.open >= l.network && !c.proxy {
		return false, gone
	}
	if from == nil {
		from = &network{loose: list.New()}
		l.networks[c.from] = from
	}
	l.open++
	from.open++
	if !c.proxy {
		c.entry = from.loose.PushBack(c)
	}
	c.counts = true
	return true, gone
}

// evict uncounts the connection that has to make room, and returns it; nil if there
// is none.
func (l *Listener) evict() *counted {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.crowded()
	if gone != nil {
		l.leave(gone)
	}
	return gone
}

// crowded returns the oldest connection without credentials of the network that has
// the most of them, nil if there is none.
func (l *Listener) crowded() *counted {
	var most *network
	for _, n := range l.networks {
		if n.loose.Len() > 0 && (most == nil || n.loose.Len() > most.loose.Len()) {
			most = n
		}
	}
	if most == nil {
		return nil
	}
	return most.oldest()
}

func (n *network) oldest() *counted {
	if n.loose.Len() == 0 {
		return nil
	}
	return n.loose.Front().Value.(*counted)
}

// leave uncounts a connection, once.
func (l *Listener) leave(c *counted) {
	if !c.counts {
		return
	}
	c.counts = false
	from := l.networks[c.from]
	if c.entry != nil {
		from.loose.Remove(c.entry)
	}
	if c.share != "" {
		l.keeping--
		if l.shares[c.share]--; l.shares[c.share] == 0 {
			delete(l.shares, c.share)
		}
	}
	l.open--
	if from.open--; from.open == 0 {
		delete(l.networks, c.from)
	}
}

// keep says that a caller has shown valid credentials on c. A share keeps an eighth
// of all connections, and all shares three quarters.
func (l *Listener) keep(c *counted, share string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.counts || c.entry == nil || l.shares[share] >= l.kept || l.keeping >= l.most*3/4 {
		return
	}
	l.networks[c.from].loose.Remove(c.entry)
	c.entry, c.share = nil, share
	l.keeping++
	l.shares[share]++
}

// A counted connection gives its place back when it is closed.
type counted struct {
	net.Conn
	l     *Listener
	from  string // its network
	proxy bool

	// Guarded by l.mu.
	counts bool
	entry  *list.Element // in network.loose; nil if it must not make room for others
	share  string        // whose credentials it has shown; "" if none
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.l.mu.Lock()
	c.l.leave(c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

type connKey struct{}

// ConnContext makes the connection of a request known to Keep: see
// [net/http.Server.ConnContext].
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*counted); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Keep says that the request in ctx has valid credentials, of the share that is
// named: its connection does not make room for others any more.
func Keep(ctx context.Context, share string) {
	if c, ok := ctx.Value(connKey{}).(*counted); ok {
		c.l.keep(c, cmp.Or(share, "-"))
	}
}

// Fit returns how many connections a server may have that can open so many files
// and needs others of them: at most MaxConnections.
func Fit(files uint64, others int) int {
	const most = 1 << 20 // more files than that make no difference
	have := int(min(files, most))
	return max(0, min(MaxConnections, have-others))
}
