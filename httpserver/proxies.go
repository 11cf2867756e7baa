package httpserver

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the reverse proxies in front of the server. Only
// their X-Forwarded headers are trusted: any client can send the same
// headers.
type Proxies []netip.Prefix

// Handler gives each request the address of the client as its RemoteAddr, so
// that nothing behind it needs to know about proxies.
func (p Proxies) Handler(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client := p.client(r); client.IsValid() {
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

// Secure reports whether the client has spoken TLS, to the server or to one of
// the proxies.
func (p Proxies) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return p.trust(peer(r)) && strings.EqualFold(last(r.Header.Values("X-Forwarded-Proto")), "https")
}

// client returns the address that the proxies say they ask for, or the zero
// Addr when none of them has sent r. Each proxy appends the address that it was
// called from, so the list is read from its end, up to the first address that
// is no proxy's: whatever stands before that, a client could have made up.
func (p Proxies) client(r *http.Request) netip.Addr {
	from := peer(r)
	if !p.trust(from) {
		return netip.Addr{}
	}
	named := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(named) {
		addr, err := parseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		from = addr
		if !p.trust(addr) {
			break
		}
	}
	return from
}

func (p Proxies) trust(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// peer returns the address at the other end of r's connection.
func peer(r *http.Request) netip.Addr {
	addr, _ := parseAddr(r.RemoteAddr)
	return addr
}

// parseAddr reads an address with or without a port. An IPv4 address that is
// written as an IPv6 one is the IPv4 address; a zone belongs to this machine
// and says nothing about the client.
func parseAddr(text string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap().WithZone(""), err
}

// last returns the value that the nearest proxy has added.
func last(values []string) string {
	all := strings.Split(strings.Join(values, ","), ",")
	return strings.TrimSpace(all[len(all)-1])
}
