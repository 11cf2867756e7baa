package egress

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// errBlocked is the error of the guard. It contains no address, so that it does
// not reveal where an internal name leads.
var errBlocked = errors.New("address not allowed")

// A guard decides which addresses may be dialled. It fails closed.
type guard struct {
	policy    Policy
	special   *ssrf.Guardian
	protected []netip.Prefix
}

func newGuard(p Policy) *guard {
	var v4, v6 []netip.Prefix
	for _, prefix := range p.Allow {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else if prefix.IsValid() {
			v6 = append(v6, prefix)
		}
	}
	return &guard{
		policy: p,
		special: ssrf.New(
			ssrf.WithAnyPort(), // ports are checked by allowsPort
			ssrf.WithAllowedV4Prefixes(v4...),
			ssrf.WithAllowedV6Prefixes(v6...),
			ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")),
		),
		protected: protectedPrefixes(),
	}
}

// protectedPrefixes are the metadata services of clouds, which return credentials
// without authentication. A broad allow-list, such as 0.0.0.0/0 for a test, must
// not open them.
func protectedPrefixes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("169.254.0.0/16"),     // AWS, Azure, Google Cloud and most others
		netip.MustParsePrefix("168.63.129.16/32"),   // Azure's wire server
		netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
		netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
		netip.MustParsePrefix("fe80::/10"),          // link-local
		netip.MustParsePrefix("fd00:ec2::/32"),      // AWS
		netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud
		netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway
	}
}

// control is a net.Dialer's Control: it sees the address that is about to be
// dialled, after every name lookup.
func (g *guard) control(network, address string, conn syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errBlocked
	}
	// A zoned or IPv4-mapped address matches no prefix, so both forms go.
	plain := netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
	if g.special.Safe(network, plain.String(), conn) != nil {
		return errBlocked
	}
	return g.check(plain)
}

// check returns errBlocked unless to may be dialled.
func (g *guard) check(to netip.AddrPort) error {
	if !g.allowsPort(to.Port()) || !g.allowsAddr(to.Addr()) {
		return errBlocked
	}
	return nil
}

func (g *guard) allowsPort(port uint16) bool {
	return port != 0 && (g.policy.AnyPort || slices.Contains(g.policy.Ports, port))
}

func (g *guard) allowsAddr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || g.isProtected(addr) && !g.isNamed(addr) {
		return false
	}
	if inner, ok := embedded(addr); ok && !g.allowsAddr(inner) {
		return false
	}
	return g.special.SafeAddr(addr) == nil
}

func (g *guard) isProtected(addr netip.Addr) bool {
	return slices.ContainsFunc(g.protected, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// isNamed reports whether the allow-list names addr alone.
func (g *guard) isNamed(addr netip.Addr) bool {
	return slices.Contains(g.policy.Allow, netip.PrefixFrom(addr, addr.BitLen()))
}

// embedded returns the IPv4 address that a gateway would forward addr to.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case ssrf.IPv6NAT64Prefix.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case b[0] == 0x20 && b[1] == 0x02: // 6to4
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case [12]byte(b[:12]) == [12]byte{} && addr != netip.IPv6Loopback() && !addr.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:])), true // the old IPv4-compatible form
	}
	return netip.Addr{}, false
}
