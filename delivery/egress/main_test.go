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

// A maker makes a client that is closed with the test.
type maker func(t testing.TB, p Policy, o Options) *Client

// overBoth holds both ways that a call can go to one rule.
func overBoth(t *testing.T, rule func(t *testing.T, newClient maker)) {
	t.Helper()
	t.Run("lean", func(t *testing.T) { rule(t, newClient) })
	t.Run("net/http", func(t *testing.T) { rule(t, newPlainClient) })
}

// newPlainClient returns a client that makes every call with net/http.
func newPlainClient(t testing.TB, p Policy, o Options) *Client {
	t.Helper()
	c := newClient(t, p, o)
	c.lean = nil
	return c
}

// learnOld lets c know that the receiver at raw speaks HTTP/1.1 over TLS.
func learnOld(t testing.TB, c *Client, raw string) {
	t.Helper()
	if c.lean != nil {
		c.lean.old.Add(must(c.place(raw)).key, true)
	}
}
