package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"

	"portalhooks/ent/enttest"
	"portalhooks/torture"
)

// A swallowToxic drops what comes. When it is gone, the connection goes on
// without what was lost: who waits for an answer on it waits for ever, as behind
// a firewall that has forgotten the connection.
type swallowToxic struct{}

// Pipe implements [toxics.Toxic].
func (*swallowToxic) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
		}
	}
}

// networkFaults are what happens to all connections to PostgreSQL at once. With
// cut nothing gets through.
var networkFaults = []struct {
	name, toxic, attributes string
	cut                     bool
}{
	{name: "slow", toxic: "latency", attributes: `{"latency": 60, "jitter": 30}`},
	{name: "narrow", toxic: "bandwidth", attributes: `{"rate": 400}`},
	{
		name: "in slices", toxic: "slicer",
		attributes: `{"average_size": 200, "size_variation": 100, "delay": 200}`,
	},
	{name: "reset", toxic: "reset_peer", attributes: `{"timeout": 0}`, cut: true},
	{name: "half open", toxic: "swallow", attributes: `{}`, cut: true},
}

// Whatever happens to the connections to PostgreSQL under a stream of events,
// nothing that was acknowledged is lost, nothing is sent twice, who watches sees
// every entry once, and the server is there again by itself.
func TestTortureDatabaseConnections(t *testing.T) {
	t.Parallel()
	toxics.Register("swallow", new(swallowToxic))
	direct := enttest.Postgres(t)
	proxy, proxied := newNetwork(t, direct)
	r := newRig(t, proxied, "/")
	r.database = direct
	r.watch(t)
	l, next, rounds := newLedger(), 0, torture.Rounds(1, 4)
	for _, fault := range networkFaults {
		result := torture.Result{
			Fault: "connections to PostgreSQL: " + fault.name, Database: "postgres", Rounds: rounds,
		}
		before := r.witness.repeated()
		for range rounds {
			p := stream(t.Context(), r.server, l, next)
			defer p.end()
			r.acknowledges(t, l, 100)
			for _, way := range []string{"upstream", "downstream"} {
				toxic := fmt.Sprintf(`{"name": %q, "type": %q, "stream": %q, "attributes": %s}`,
					way, fault.toxic, way, fault.attributes)
				if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
					t.Fatal(err)
				}
			}
			if fault.cut {
				r.ready(t, http.StatusServiceUnavailable)
			} else {
				r.acknowledges(t, l, 100)
			}
			for _, way := range []string{"upstream", "downstream"} {
				if err := proxy.Toxics.RemoveToxic(t.Context(), way); err != nil {
					t.Fatal(err)
				}
			}
			r.examine(t, l)
			result.Recovery = max(result.Recovery, r.acknowledges(t, l, 100))
			r.ready(t, http.StatusOK)
			from := next
			next = p.end()
			result.Lost += r.finish(t, l, from, next)
		}
		if result.Duplicated = r.witness.repeated() - before; result.Duplicated > 0 {
			t.Errorf("%s: %d calls were repeated although the server lived", fault.name, result.Duplicated)
		}
		result.Note = "recovery: until 100 more events are acknowledged"
		result.Report(t)
	}
	r.saw(t)
	r.witness.checkIdentity(t)
	r.stop(t)
}

// newNetwork puts a proxy in front of the server of a database and returns the
// database's URL through it.
func newNetwork(t *testing.T, database string) (*toxiproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the database is not named by a URL")
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics have a logger of their own
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "postgres", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	return proxy, u.String()
}

// ready waits until the server says that it is, or is not, ready.
func (r *rig) ready(t *testing.T, want int) {
	t.Helper()
	said := ""
	err := eventually(t.Context(), fmt.Sprintf("/readyz answers %d", want),
		func(ctx context.Context) (bool, error) {
			status, body, err := get(ctx, r.server.url+"/readyz")
			said = string(body)
			return status == want, err
		})
	if err != nil {
		t.Fatalf("%v: it says %q%s", err, said, r.server.transcript())
	}
}
