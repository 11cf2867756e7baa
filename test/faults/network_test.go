package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2/toxics"

	"portalhooks/ent/enttest"
	"portalhooks/test/harness"
)

// A swallowToxic drops what comes. When it is removed, the connection continues
// without what was lost: a client waits forever for an answer on it, as behind a
// firewall that has forgotten the connection.
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
// nothing that was acknowledged is lost, nothing is sent twice, a subscriber sees
// every entry once, and the server is there again by itself.
func TestTortureDatabaseConnections(t *testing.T) {
	t.Parallel()
	toxics.Register("swallow", new(swallowToxic))
	direct := enttest.Postgres(t)
	proxy, proxied := harness.NewNetwork(t, direct)
	r := harness.NewRig(t, proxied, "/")
	r.Database = direct
	r.Watch(t)
	l, next, rounds := harness.NewLedger(), 0, Rounds(1, 4)
	for _, fault := range networkFaults {
		result := Result{
			Fault: "connections to PostgreSQL: " + fault.name, Database: "postgres", Rounds: rounds,
		}
		before := r.Witness.Repeated()
		for range rounds {
			p := harness.Stream(t.Context(), r.Server, l, next)
			defer p.End()
			r.Acknowledges(t, l, 100)
			for _, way := range []string{"upstream", "downstream"} {
				toxic := fmt.Sprintf(`{"name": %q, "type": %q, "stream": %q, "attributes": %s}`,
					way, fault.toxic, way, fault.attributes)
				if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
					t.Fatal(err)
				}
			}
			if fault.cut {
				r.Ready(t, http.StatusServiceUnavailable)
			} else {
				r.Acknowledges(t, l, 100)
			}
			for _, way := range []string{"upstream", "downstream"} {
				if err := proxy.Toxics.RemoveToxic(t.Context(), way); err != nil {
					t.Fatal(err)
				}
			}
			r.Examine(t, l)
			result.Recovery = max(result.Recovery, r.Acknowledges(t, l, 100))
			r.Ready(t, http.StatusOK)
			from := next
			next = p.End()
			result.Lost += r.Finish(t, l, from, next)
		}
		if result.Duplicated = r.Witness.Repeated() - before; result.Duplicated > 0 {
			t.Errorf("%s: %d calls were repeated although the server lived", fault.name, result.Duplicated)
		}
		result.Note = "recovery: until 100 more events are acknowledged"
		result.Report(t)
	}
	r.Saw(t)
	r.Witness.CheckIdentity(t)
	r.Stop(t)
}
