package egress

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"slices"
)

// A Policy says which receivers may be called. The operator sets it, never an
// organization. The zero Policy allows https to public
// addresses on the usual ports.
type Policy struct {
	// Allow opens networks that are closed by default: loopback, private and
	// other special ones. Link-local and cloud metadata addresses are opened
	// only by a prefix that names one address.
	Allow     []netip.Prefix
	AllowHTTP bool           // plain http as well as https
	Ports     []uint16       // 80, 443, 8080 and 8443 if empty
	AnyPort   bool           // every port, for receivers in development
	Proxy     *url.URL       // calls go through it if set; none from the environment
	RootCAs   *x509.CertPool // the system's if nil
	Resolver  *net.Resolver  // Go's own resolver if nil
}

func (p Policy) withDefaults() Policy {
	if len(p.Ports) == 0 {
		p.Ports = []uint16{80, 443, 8080, 8443}
	}
	if p.Resolver == nil {
		// The C library's resolver turns names such as "2130706433" into
		// addresses; Go's own looks them up.
		p.Resolver = &net.Resolver{PreferGo: true}
	}
	p.Allow = slices.Clone(p.Allow)
	for i, prefix := range p.Allow {
		p.Allow[i] = canonical(prefix)
	}
	return p
}

// ValidateURL checks the URL of a webhook as a person typed it and returns it
// parsed. Its error is always a *URLError. A name is not looked up: its addresses
// are checked when it is called.
func (p Policy) ValidateURL(raw string) (*url.URL, error) {
	return newGuard(p.withDefaults()).validate(raw)
}

// canonical writes an IPv4-mapped prefix as IPv4, since that is how addresses
// are compared.
func canonical(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
