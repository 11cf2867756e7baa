package main

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/ent/enttest"
)

// A pair is two servers on one PostgreSQL, with a webhook that gets all alerts
// of one organization.
type pair struct {
	servers [2]*apiServer
	org     delivery.OrgID
	admin   delivery.Caller
}

func newPair(t *testing.T, url string) *pair {
	t.Helper()
	first := startAPI(t, url)
	return pairOf(t, first, startApp(t, first.settings))
}

// pairOf makes the organization and the webhook. The servers may be one.
func pairOf(t *testing.T, first, second *apiServer) *pair {
	t.Helper()
	p := &pair{servers: [2]*apiServer{first, second}}
	orgs, err := first.store.LearnOrganizations(t.Context(), []delivery.Organization{{
		ID: delivery.OrgID(delivery.NewIDs(delivery.MaxSlot).Next()), ExternalID: "pair", Name: "Pair",
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.org = orgs[0].ID
	p.admin = delivery.Caller{Name: "admin", Grants: map[delivery.OrgID]delivery.Role{p.org: delivery.Admin}}
	_, err = first.service.CreateWebhook(t.Context(), p.admin, service.CreateWebhookInput{
		OrganizationID: "pair", Name: "All", Type: delivery.ActiveAlert, TargetURL: first.receiver + "/in",
		Selection: service.SelectionInput{All: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// report submits n alerts to one of the servers.
func (p *pair) report(t *testing.T, server, n int) {
	portal := delivery.Caller{Name: "portal", Portal: true}
	for i := range n {
		_, err := p.servers[server].service.Ingest(t.Context(), portal, []delivery.Report{{
			OrganizationID: "pair", SourceEventID: fmt.Sprintf("%d-%d", server, i),
			ActiveAlert: &delivery.ActiveAlertReport{Alert: delivery.ReportedAlert{
				ID: "disk", Name: "Low disk", Start: time.Now(), Element: strconv.Itoa(i),
			}},
		}})
		if err != nil {
			t.Error(err)
		}
	}
}

// follow watches from a cursor on, until want deliveries are delivered, and
// goes on at the other server after every few entries; 0 stays.
func (p *pair) follow(t *testing.T, server int, cursor string, want, few int) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	seen := map[delivery.DeliveryID]int{}
	from := map[int]int{} // entries by the slot that wrote them
	for len(seen) < want && ctx.Err() == nil {
		watching, leave := context.WithCancel(ctx)
		in := delivery.WatchInput{Org: p.org, After: cursor}
		items, err := p.servers[server].service.Watch(watching, p.admin, in)
		if err != nil {
			leave()
			t.Error(err)
			return
		}
		got := 0
		for item := range items {
			cursor = item.Cursor
			if item.Gap {
				t.Error("there is a gap in the log")
			}
			if item.Entry != nil {
				got++
				seen[item.Entry.Delivery.ID]++
				from[delivery.IDSlot(item.Entry.ID)]++
			}
			if len(seen) == want || got == few {
				break
			}
		}
		leave()
		if few > 0 {
			server = 1 - server
		}
	}
	for id, times := range seen {
		if times > 1 {
			t.Errorf("%s was seen %d times", id, times)
		}
	}
	if len(seen) != want || len(from) != 2 {
		t.Errorf("%d deliveries were seen, want %d; by slot: %v", len(seen), want, from)
	}
}

// cutLinks ends the connections that listen, again and again, until ctx ends:
// most notifications get lost.
func cutLinks(ctx context.Context, t *testing.T, url string) {
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks l
			JOIN pg_database d ON d.oid = l.database
			WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'`)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

// Whoever watches sees the entries of all servers, at any server, although
// notifications are lost or never come, and may go on at another one: the
// cursors are good everywhere.
func TestTheLiveLogIsWholeOnEveryServer(t *testing.T) {
	t.Parallel()
	const each, few = 300, 7
	for name, pooled := range map[string]bool{"notifications get lost": false, "there are none": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := enttest.Postgres(t)
			url := database
			if pooled {
				url = enttest.NewPooler(t, database, nil).Through(t, database)
			}
			p := newPair(t, url)
			ctx, stop := context.WithCancel(t.Context())
			var cutting, all sync.WaitGroup
			if !pooled {
				cutting.Go(func() { cutLinks(ctx, t, database) })
			}
			start := logStart()
			for server := range p.servers {
				all.Go(func() { p.follow(t, server, start, 2*each, 0) })
				all.Go(func() { p.follow(t, server, start, 2*each, few) })
				all.Go(func() { p.report(t, server, each) })
			}
			all.Wait()
			stop()
			cutting.Wait()
		})
	}
}
