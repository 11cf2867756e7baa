package egress

import (
	"net"
	"net/netip"
	"testing"
)

// plainlyPublic is a second guard, written by hand from the IANA registries
// and independently of the first, so that an error has to be made twice to
// go unnoticed.
func plainlyPublic(addr netip.Addr) bool {
	addr = addr.WithZone("")
	if addr.Is4In6() {
		addr = addr.Unmap()
	}
	if addr.Is4() {
		return publicV4(addr.As4())
	}
	b := addr.As16()
	switch {
	case b[0]&0xe0 != 0x20, // outside 2000::/3
		b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02,                   // 2001::/23
		b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8,  // 2001:db8::/32
		b[0] == 0x20 && b[1] == 0x02,                                  // 2002::/16
		b[0] == 0x3f && b[1] == 0xff && b[2] < 0x10,                   // 3fff::/20
		[6]byte(b[:6]) == [6]byte{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}: // AS112
		return false
	}
	return true
}

func publicV4(b [4]byte) bool {
	switch b[0] {
	case 0, 10, 127:
		return false
	case 100:
		return b[1] < 64 || b[1] > 127
	case 168:
		return b != [4]byte{168, 63, 129, 16}
	case 169:
		return b[1] != 254
	case 172:
		return b[1] < 16 || b[1] > 31
	case 192:
		return publicIn192(b)
	case 198:
		return b[1] != 18 && b[1] != 19 && (b[1] != 51 || b[2] != 100)
	case 203:
		return b[1] != 0 || b[2] != 113
	}
	return b[0] < 224
}

func publicIn192(b [4]byte) bool {
	switch b[1] {
	case 0:
		return b[2] != 0 && b[2] != 2
	case 31:
		return b[2] != 196
	case 52:
		return b[2] != 193
	case 88:
		return b[2] != 99
	case 175:
		return b[2] != 48
	}
	return b[1] != 168
}

// FuzzGuard compares the guard with the hand-written one on any address, as
// it would arrive from a name lookup and from a dial.
func FuzzGuard(f *testing.F) {
	for _, text := range []string{
		"127.0.0.1", "169.254.169.254", "168.63.129.16", "8.8.8.8", "100.127.255.255", "100.128.0.0",
		"192.88.99.1", "::1", "::ffff:10.0.0.1", "64:ff9b::808:808", "2002:808:808::1", "2606:4700::1",
		"fe80::1%lo", "2001:1ff::1", "2001:200::1", "3fff:fff::1", "3fff:1000::1", "2620:4f:8000::1",
	} {
		addr := netip.MustParseAddr(text)
		f.Add(addr.AsSlice(), addr.Zone(), uint16(443))
	}
	g := newGuard(Policy{}.withDefaults())
	f.Fuzz(func(t *testing.T, raw []byte, zone string, port uint16) {
		addr, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		if addr.Is6() {
			addr = addr.WithZone(zone)
		}
		want := plainlyPublic(addr) && (port == 80 || port == 443 || port == 8080 || port == 8443)
		to := netip.AddrPortFrom(addr, port)
		if got := g.check(to) == nil; got != want {
			t.Fatalf("check(%s) allows: %t, want %t", to, got, want)
		}
		// What a dial sees is text, which may not parse when the zone is odd;
		// it must then be refused, never allowed.
		network := "tcp6"
		if addr.Unmap().Is4() {
			network = "tcp4"
		}
		if got := g.control(network, to.String(), nil) == nil; got && !want {
			t.Fatalf("control(%s) allows it", to)
		} else if want && !got && addr.Zone() == "" {
			t.Fatalf("control(%s) refuses it", to)
		}
	})
}

func TestControlRefusesWhatItCannotRead(t *testing.T) {
	g := newGuard(loopback().withDefaults())
	for name, tt := range map[string]struct {
		network, address string
		ok               bool
	}{
		"loopback":        {"tcp4", "127.0.0.1:9", true},
		"mapped loopback": {"tcp6", "[::ffff:127.0.0.1]:9", true},
		"UDP":             {"udp4", "127.0.0.1:9", false},
		"unix socket":     {"unix", "/var/run/docker.sock", false},
		"a name":          {"tcp4", "localhost:9", false},
		"no port":         {"tcp4", "127.0.0.1", false},
		"port zero":       {"tcp4", "127.0.0.1:0", false},
		"nothing":         {"tcp4", "", false},
		"a zone":          {"tcp6", "[fe80::1%lo]:9", false},
		"private":         {"tcp4", net.JoinHostPort("10.0.0.1", "9"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := g.control(tt.network, tt.address, nil); (err == nil) != tt.ok {
				t.Errorf("control = %v, want allowed %t", err, tt.ok)
			}
		})
	}
}
