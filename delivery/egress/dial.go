package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"portalhooks/delivery/failpoint"
)

const (
	// maxAddresses limits how many addresses of a name are dialled.
	maxAddresses = 8
	// minDial is the least time for one address while others are left.
	minDial = 2 * time.Second
)

// A dialer opens a Client's connections.
type dialer struct {
	guard  *guard
	net    net.Dialer
	lookup time.Duration
}

// open looks the host up and connects to the first of its addresses that accepts.
// net.Dialer would limit neither the lookup nor the number of addresses. ctx has a
// deadline.
func (d *dialer) open(ctx context.Context, m *meter, e *endpoint) (net.Conn, error) {
	failpoint.Hit(failpoint.CallBeforeDial)
	targets, err := d.resolve(ctx, m, e.address)
	if err != nil {
		return nil, err
	}
	m.enter(connecting)
	return d.first(ctx, m, targets)
}

// resolve returns the addresses of a host and port that the guard allows. A name
// without any is like a name that does not exist: the difference would tell which
// names there are in the server's network.
func (d *dialer) resolve(ctx context.Context, m *meter, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errBlocked
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, errBlocked
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		to := netip.AddrPortFrom(addr.Unmap(), uint16(port))
		return []netip.AddrPort{to}, d.guard.check(to)
	}
	found, err := d.addresses(ctx, m, host)
	if err != nil {
		return nil, err
	}
	var targets []netip.AddrPort
	for _, addr := range found {
		to := netip.AddrPortFrom(addr.Unmap(), uint16(port))
		if d.guard.check(to) == nil {
			targets = append(targets, to)
		}
		if len(targets) == maxAddresses {
			break
		}
	}
	if len(targets) == 0 {
		m.forgetLookup()
		return nil, noAddress(host)
	}
	return targets, nil
}

// noAddress is the error for a name without an address that may be called.
func noAddress(host string) error {
	return &net.DNSError{Name: host, Err: "no address", IsNotFound: true}
}

// addresses looks a name up. It is a full name: the search domains of the
// server's network are not for organizations.
func (d *dialer) addresses(ctx context.Context, m *meter, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, d.lookup)
	defer cancel()
	m.beginLookup()
	var found []netip.Addr
	err := withFile(ctx, func() (err error) {
		found, err = d.guard.policy.Resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(host, ".")+".")
		return err
	})
	if dns, ok := errors.AsType[*net.DNSError](err); err == nil && len(found) == 0 || ok && dns.IsNotFound {
		m.forgetLookup()
		return nil, noAddress(host)
	}
	if err != nil {
		if _, ok := errors.AsType[*net.DNSError](err); !ok {
			err = &net.DNSError{Name: host, Err: err.Error(), UnwrapErr: err, IsTimeout: ctx.Err() != nil}
		}
		return nil, err
	}
	return found, nil
}

// first dials the targets in turn until one accepts. Each gets an equal share of
// the time left, so that a silent address does not use up the time of the next.
func (d *dialer) first(ctx context.Context, m *meter, targets []netip.AddrPort) (net.Conn, error) {
	var failure error
	for i, to := range targets {
		address := to.String()
		m.dialling(address)
		one, cancel := context.WithTimeout(ctx, share(ctx, len(targets)-i))
		var conn net.Conn
		err := withFile(one, func() (err error) {
			conn, err = d.net.DialContext(one, "tcp", address)
			return err
		})
		cancel()
		if err == nil {
			return conn, nil
		}
		failure = cmp.Or(failure, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failure
}

// filePause is how long withFile waits before it opens again.
const filePause = 50 * time.Millisecond

// withFile repeats open while this process has no file left for it, until ctx ends:
// that is not the receiver's fault, and other calls close theirs soon.
func withFile(ctx context.Context, open func() error) error {
	for {
		err := open()
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(filePause):
		}
	}
}

func share(ctx context.Context, left int) time.Duration {
	deadline, _ := ctx.Deadline() // required by open
	remaining := time.Until(deadline)
	return max(remaining/time.Duration(left), min(remaining, minDial))
}

const handshakeTimeout = 10 * time.Second

// encrypt returns a TLS connection with host over conn, or closes conn.
func encrypt(ctx context.Context, conn net.Conn, config *tls.Config, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	config = config.Clone()
	config.ServerName = host
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}
