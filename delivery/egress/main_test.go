package egress

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopback is the policy of a server in development.
func loopback() Policy {
	return Policy{
		Allow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		AllowHTTP: true,
		AnyPort:   true,
	}
}

func prefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = p
	}
	return out
}

// newClient returns a client that is closed with the test.
func newClient(t testing.TB, p Policy, o Options) *Client {
	t.Helper()
	c := NewClient(p, o)
	t.Cleanup(c.Close)
	return c
}
