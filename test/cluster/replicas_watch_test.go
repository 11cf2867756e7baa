package cluster

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/test/harness"
)

func newPair(t *testing.T, url string) *harness.Pair {
	t.Helper()
	first := harness.StartAPI(t, url)
	return harness.PairOf(t, first, harness.StartApp(t, first.Settings))
}

// reportTo submits n alerts to one of the servers.
func reportTo(p *harness.Pair, t *testing.T, server, n int) {
	portal := delivery.Caller{Name: "portal", Portal: true}
	for i := range n {
		_, err := p.Servers[server].Service.Ingest(t.Context(), portal, []delivery.Report{{
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

// followLog watches from a cursor on, until want deliveries are delivered, and
// goes on at the other server after every few entries; 0 stays.
func followLog(p *harness.Pair, t *testing.T, server int, cursor string, want, few int) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Patience)
	defer cancel()
	seen := map[delivery.DeliveryID]int{}
	from := map[int]int{} // entries by the slot that wrote them
	for len(seen) < want && ctx.Err() == nil {
		watching, leave := context.WithCancel(ctx)
		in := delivery.WatchInput{Org: p.Org, After: cursor}
		items, err := p.Servers[server].Service.Watch(watching, p.Admin, in)
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

// A subscriber sees the entries of all servers, at any server, although
// notifications are lost or never come, and may resume at another one: cursors are
// valid everywhere.
func TestTheDeliveryLogIsCompleteOnEveryServer(t *testing.T) {
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
				cutting.Go(func() { harness.CutLinks(ctx, t, database) })
			}
			start := harness.LogStart()
			for server := range p.Servers {
				all.Go(func() { followLog(p, t, server, start, 2*each, 0) })
				all.Go(func() { followLog(p, t, server, start, 2*each, few) })
				all.Go(func() { reportTo(p, t, server, each) })
			}
			all.Wait()
			stop()
			cutting.Wait()
		})
	}
}
