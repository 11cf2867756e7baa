package egress

import (
	"net"
	"net/url"

	lru "github.com/hashicorp/golang-lru/v2"
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

// newPlace returns where u leads, through the proxy unless that is nil.
func newPlace(u, proxy *url.URL) *place {
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	p := &place{url: u, secure: u.Scheme == "https", host: u.Hostname()}
	p.address = net.JoinHostPort(p.host, port)
	p.key = u.Scheme + "://" + p.address
	target, more := u.RequestURI(), ""
	if proxy != nil && !p.secure { // the proxy forwards it
		target, more = u.Scheme+"://"+u.Host+target, proxyAuthorization(proxy)
	}
	p.head = "POST " + target + " HTTP/1.1\r\nHost: " + u.Host + "\r\n" + more
	return p
}

// place returns where raw leads if the policy allows it. Neither changes, so
// each URL is judged once, as long as it is remembered.
func (c *Client) place(raw string) (*place, error) {
	if p, ok := c.places.Get(raw); ok {
		return p, nil
	}
	u, err := c.guard.validate(raw)
	if err != nil {
		return nil, err
	}
	p := newPlace(u, c.guard.policy.Proxy)
	c.places.Add(raw, p)
	return p, nil
}

// remembered is how many targets a memory holds.
const remembered = 1024

// newMemory returns what is remembered of targets.
func newMemory[V any]() *lru.Cache[string, V] {
	memory, _ := lru.New[string, V](remembered) // fails for sizes below 1 only
	return memory
}
