package egress

import (
	"net"
	"net/url"

	lru "github.com/hashicorp/golang-lru/v2"
)

// An endpoint is a receiver's URL, prepared for many calls.
type endpoint struct {
	secure  bool
	host    string // without a port
	address string // host and port
	key     string // of the connections that it can use
	start   string // of a request: its first line and the Host header
}

// newEndpoint returns the endpoint of u, through the proxy unless that is nil.
func newEndpoint(u, proxy *url.URL) *endpoint {
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	e := &endpoint{secure: u.Scheme == "https", host: u.Hostname()}
	e.address = net.JoinHostPort(e.host, port)
	e.key = u.Scheme + "://" + e.address
	target, more := u.RequestURI(), ""
	if proxy != nil && !e.secure { // the proxy forwards the request
		target, more = u.Scheme+"://"+u.Host+target, proxyAuthorization(proxy)
	}
	e.start = "POST " + target + " HTTP/1.1\r\nHost: " + u.Host + "\r\n" + more
	return e
}

// endpoint returns the endpoint of a URL that the policy allows. Neither changes,
// so the result is cached. Its error is a *URLError.
func (c *Client) endpoint(raw string) (*endpoint, error) {
	if e, ok := c.endpoints.Get(raw); ok {
		return e, nil
	}
	u, err := c.guard.validate(raw)
	if err != nil {
		return nil, err
	}
	e := newEndpoint(u, c.guard.policy.Proxy)
	c.endpoints.Add(raw, e)
	return e, nil
}

// maxEndpoints is how many endpoints a Client caches.
const maxEndpoints = 1024

func newEndpoints() *lru.Cache[string, *endpoint] {
	cache, _ := lru.New[string, *endpoint](maxEndpoints) // fails for sizes below 1 only
	return cache
}
