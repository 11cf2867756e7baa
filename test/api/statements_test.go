package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/ent"
	"portalhooks/graph"
	"portalhooks/test/harness"
)

// shownDeliveries are what clients ask for of each delivery, with how many
// statements a page of that may take: one for each kind of thing (two for
// webhooks, which have versions) that is asked for in each place.
var shownDeliveries = map[string]struct {
	fields string
	most   int
}{
	"the table": {
		`id state webhook { name } event { item { name } workspaceName } attempts { outcome httpStatus }`, 8,
	},
	"everything": {`id state webhook { id name organization { name } selection { items { name } } }
		event { id organization { name } item { name } } redeliveryOf { id }
		message request { url headers { value } } attempts { id outcome requestHeaders { value } }`, 18},
}

// TestPagesTakeTheSameStatements proves that a page takes as many statements
// as a longer one.
func TestPagesTakeTheSameStatements(t *testing.T) {
	t.Parallel()
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			w := harness.NewWorld(t, harness.StartAPI(t, url))
			w.Report(t, "canary-a", 100, 10) // 20 deliveries, with the first 6: a page of 25
			w.Must(t, w.A.Admin, fill(`mutation { redeliver(input: {ids: [@delivery]}) {
				deliveries { id } userErrors { code } } }`, w.A.Names, nil), nil)
			for spelling, around := range map[string]string{
				"nodes": `nodes { %s }`, "edges": `edges { cursor node { %s } } pageInfo { endCursor }`,
				"both": `nodes { %s } edges { node { webhook { name } attempts { outcome } } }`,
			} {
				for what, shown := range shownDeliveries {
					few := countStatements(t, w, url, "deliveries", 5, replaceOnce(around, shown.fields))
					many := countStatements(t, w, url, "deliveries", 25, replaceOnce(around, shown.fields))
					if len(few) != len(many) || len(many) > shown.most || len(many) < 5 {
						t.Errorf("%s, %s: 5 take %d statements, 25 take %d, want the same and at most %d:\n%.120q",
							what, spelling, len(few), len(many), shown.most, many)
					}
				}
			}
			const explained = `nodes { evaluation { reason webhook { name } } }`
			few := countStatements(t, w, url, "events", 2, explained)
			many := countStatements(t, w, url, "events", 13, explained)
			if len(few) != len(many) || len(many) > 5 {
				t.Errorf("explaining 2 events takes %d statements, 13 take %d, want the same and at most 5:\n%.120q",
					len(few), len(many), many)
			}
			const log = `nodes { action organization { name } changes { field } object { name } }`
			few = countStatements(t, w, url, "auditLog", 2, log)
			many = countStatements(t, w, url, "auditLog", 7, log)
			if len(few) != len(many) || len(many) > 3 {
				t.Errorf("2 entries of the audit log take %d statements, 7 take %d, want the same and at most 3:\n%.120q",
					len(few), len(many), many)
			}
		})
	}
}

// knownCaller is an Authenticator that knows who calls without asking.
type knownCaller struct{ delivery.Caller }

// Request implements [graph.Authenticator].
func (c knownCaller) Request(*http.Request) (delivery.Caller, time.Time, error) {
	return c.Caller, time.Time{}, nil
}

// Watch implements [graph.Authenticator].
func (c knownCaller) Watch(context.Context, *http.Request, delivery.Caller) <-chan struct{} {
	return nil
}

// countStatements returns the statements of one query for a page.
func countStatements(
	t *testing.T, w *harness.World, url, field string, size int, connection string,
) []string {
	t.Helper()
	kind := "sqlite"
	if strings.HasPrefix(url, "postgres") {
		kind = "postgres"
	}
	name, log := loggedDriver(t, kind)
	store, err := ent.Open(t.Context(), ent.Options{URL: url, Driver: name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	}()
	keyring, err := w.Settings.Keyring()
	if err != nil {
		t.Fatal(err)
	}
	silent := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	service := service.New(store, service.Options{
		Owner: delivery.Owner{Slot: delivery.MaxSlot}, Keyring: keyring, Registry: registry, Logger: silent,
	})
	org, _ := delivery.ParseOrgID(w.A.Names["organization"])
	admin := delivery.Caller{Name: "x", Grants: map[delivery.OrgID]delivery.Role{org: delivery.Admin}}
	api := graph.New(service, graph.Options{
		Authenticate: knownCaller{admin}, Registry: registry, Logger: silent,
	})
	server := httptest.NewServer(api)
	defer server.Close()
	counted := &harness.APIServer{App: w.App, URL: server.URL, Client: w.Client}
	query := fill(fmt.Sprintf(`{ organization(id: @organization) { %s(first: %d) { %s } } }`,
		field, size, connection), w.A.Names, nil)
	counted.Must(t, "", query, nil) // from now on the templates are in memory
	log.take()
	a := counted.Must(t, "", query, nil)
	list := "nodes"
	if strings.HasPrefix(connection, "edges") {
		list = "edges"
	}
	if got := len(a.List(t, "organization."+field+"."+list)); got != size {
		t.Fatalf("the page of %s has %d, want %d", field, got, size)
	}
	return log.take()
}
