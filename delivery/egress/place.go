package egress

import (
	"net"
	"net/url"
	"sync"
)

// A place is where a URL leads, made ready for many calls.
type place struct {
	url     *url.URL // not changed
	secure  bool
	host    string // without a port
	address string // host and port
	key     string // of the connections that lead there
	head    string // how a request begins: its first line and the host
}

func newPlace(u *url.URL) *place {
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	p := &place{url: u, secure: u.Scheme == "https", host: u.Hostname()}
	p.address = net.JoinHostPort(p.host, port)
	p.key = u.Scheme + "://" + p.address
	p.head = "POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\n"
	return p
}

// place returns where raw leads if the policy allows it. Neither changes, so
// each URL is judged once, as long as it is remembered.
func (c *Client) place(raw string) (*place, error) {
	if p, ok := c.places.get(raw); ok {
		return p, nil
	}
	u, err := c.guard.validate(raw)
	if err != nil {
		return nil, err
	}
	p := newPlace(u)
	c.places.put(raw, p)
	return p, nil
}

// remembered is how many targets a memory holds.
const remembered = 1024

// A memory is a bounded map. It forgets any entry to make room for a new one.
type memory[V any] struct {
	mu      sync.RWMutex
	entries map[string]V
}

func newMemory[V any]() *memory[V] { return &memory[V]{entries: map[string]V{}} }

func (m *memory[V]) get(key string) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.entries[key]
	return v, ok
}

func (m *memory[V]) put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) >= remembered {
		for other := range m.entries {
			delete(m.entries, other)
			break
		}
	}
	m.entries[key] = v
}
