package queue

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/ent/sqldb"
)

// history stores a few thousand deliveries of two organizations and of several
// webhooks, so that an index is worth its while: half are delivered, some of
// them failed, the others wait, and some are leased.
func history(t *testing.T, s *testQueue) (org delivery.OrgID) {
	t.Helper()
	day := dayOf(time.Now())
	owner, err := s.Join(t.Context(), "planner", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	orgs := []delivery.OrgID{7, 8}
	const n = 6000
	for i, org := range orgs {
		s.organization(t, org)
		events := make([]delivery.NewEvent, n)
		for j := range events {
			id := delivery.IDAt[int64](day.Add(time.Duration(j)*time.Second)) + int64(i)
			e := delivery.Event{
				ID: delivery.EventID(id), Org: org, Type: delivery.ActiveAlert, Variables: []byte("{}"),
				Group: delivery.GroupID(fmt.Sprint(j)), SourceEventID: fmt.Sprint(j),
			}
			if j%2 == 0 {
				e.Type = delivery.ObjectCreated
			}
			state := delivery.Queued
			if j < n/2 || j%1000 == 0 {
				state = delivery.Sending
			}
			events[j] = delivery.NewEvent{Event: e, Key: e.ID.String(), Deliveries: []delivery.Delivery{{
				ID: delivery.DeliveryID(id), Org: org, Webhook: delivery.WebhookID(10*i + j%10 + 1), Version: 4,
				Event: e.ID, Type: e.Type, Trigger: delivery.ByEvent, State: state,
			}}}
		}
		in := []delivery.Ingest{{Org: org, Events: events}}
		if _, err := s.Ingest(t.Context(), owner, time.Hour, in); err != nil {
			t.Fatal(err)
		}
		batch := make([]delivery.Settlement, n/2)
		for j := range batch {
			batch[j] = finished(owner, events[j].Deliveries[0], j)
		}
		held, err := s.Settle(t.Context(), batch)
		if err != nil || !held[0] {
			t.Fatal(held[0], err)
		}
	}
	if !isSQLite(s) { // SQLite's files are not analyzed
		if _, err := s.db.Writer().ExecContext(t.Context(), "VACUUM (ANALYZE)"); err != nil {
			t.Fatal(err)
		}
	}
	return orgs[0]
}

func finished(owner delivery.Owner, d delivery.Delivery, j int) delivery.Settlement {
	d.State, d.Attempts = delivery.Delivered, 1
	a := delivery.Attempt{Number: 1, StartedAt: time.Now(), Outcome: egress.Success, HTTPStatus: 200}
	if j%50 == 0 {
		d.State, a.Outcome, a.HTTPStatus = delivery.Failed, egress.HTTPError, 500
	}
	entry := delivery.LogID(int64(d.ID) + int64(owner.Slot)<<12)
	at := time.Now().Add(-time.Duration(j) * time.Minute)
	return delivery.Settlement{
		Owner: owner, Entry: delivery.LogEntry{ID: entry, At: at, Delivery: d, Attempt: &a},
	}
}

// A flatQuery is a statement that must not read all of a table.
type flatQuery struct {
	query string
	args  []any
	sorts int    // how often it may sort what something else bounds
	index string // what leads to the rows on SQLite, which has no figures to choose by
}

// flatQueries returns what is asked all the time.
func flatQueries(t *testing.T, s *testQueue, org delivery.OrgID) map[string]flatQuery {
	t.Helper()
	now := time.Now()
	all := map[string]flatQuery{
		"follow": {query: "SELECT * FROM log WHERE " + slotOf + " = 0 AND id > 5 ORDER BY id LIMIT 10"},
		"tail":   {query: "SELECT id FROM log WHERE " + slotOf + " = 0 ORDER BY id DESC LIMIT 1"},
		"stats of an organization": {query: countsQuery(org, delivery.CountQuery{
			From: now.Add(-3 * time.Hour), To: now, Step: time.Hour,
		})},
		"old counts":            {query: discardCounts, args: []any{hourOf(now) - 90, discardLimit}},
		"old events":            {query: discardEvents, args: []any{0, delivery.IDAt[int64](dayOf(now).Add(time.Minute)), 20}},
		"leased by slot":        {query: requeueOwned + "AND owner_epoch <= $3", args: []any{0, 1, 1}},
		"due alerts and others": {query: dueRows, args: []any{80, 80, 0, 0, 0}, sorts: 1},
		"round":                 {query: nextWebhooks, args: []any{0, 200}},
		"unrecalled":            {query: unrecalledWebhooks, args: []any{0, 200}},
		"leased to recall":      {query: recalledColumns + leasedToRecall, args: []any{3}},
		"held to recall":        {query: recalledColumns + heldToRecall, args: []any{3, 0, 20}},
		"waiting to recall":     {query: recalledColumns + waitingRecall, args: []any{3, false, 0, 0, 20}, sorts: 1},
		"older log":             {query: discardLog, args: []any{0, delivery.IDAt[int64](dayOf(now).Add(time.Minute)), 20}},
	}
	if !isSQLite(s) {
		delete(all, "older log") // it drops days
		all["old keys"] = flatQuery{query: discardKeys, args: all["old events"].args}
		all["claim"] = flatQuery{query: postgresClaim, args: []any{0, 1, 1, "{1,2,3}", "{8,8,8}", 20}}
		all["claim in order"] = flatQuery{query: postgresClaimOrdered, args: []any{0, 1, 1, "{1,2,3}", "{8,8,8}"}}
	} else {
		all["claim"] = flatQuery{query: sqliteClaim, args: []any{0, 3, 8}}
		all["claim in order"] = flatQuery{query: sqliteClaimOrdered, args: []any{0, 3, 8}}
	}
	day := dayOf(now)
	cursor := delivery.Page{After: deliveryList.cursor(delivery.IDAt[int64](day.Add(70 * time.Minute)))}
	source := flatQuery{sorts: 1} // a source's events are few
	ofSource := delivery.EventFilter{SourceEventID: "17"}
	source.query = eventListing(s.Queue.db, &source.args, org, ofSource, idPage{})
	all["events of a source"] = source
	group := flatQuery{index: "event_group"}
	group.query = eventListing(s.Queue.db, &group.args, org, delivery.EventFilter{Group: "17"}, idPage{})
	all["events of a group"] = group
	count := flatQuery{index: "event_group"}
	count.query = groupCount(&count.args, org, "17", delivery.ActiveAlert, 100)
	all["the count of a group"] = count
	for name, f := range map[string]delivery.DeliveryFilter{
		"all":         {},
		"a webhook's": {Webhooks: []delivery.WebhookID{3}},
		"failed":      {States: []delivery.State{delivery.Failed}},
		"queued":      {States: []delivery.State{delivery.Queued}},
		"delivered":   {States: []delivery.State{delivery.Delivered}},
		"a time's":    {After: day.Add(10 * time.Minute), Before: day.Add(20 * time.Minute)},
		"an event's":  {Event: delivery.IDAt[delivery.EventID](day.Add(time.Minute))},
		"a group's":   {Group: "17"},
	} {
		for where, page := range map[string]delivery.Page{"newest": {}, "behind a cursor": cursor} {
			q, err := deliveryList.read(page)
			if err != nil {
				t.Fatal(err)
			}
			one := flatQuery{}
			switch {
			case f.Event != 0:
				one.sorts, one.index = 2, "log_event" // an event's deliveries are few
			case f.Group != "":
				one.sorts, one.index = 3, "event_group" // and so are a group's events
			case len(f.Webhooks) > 0:
				one.index = "log_webhook"
			}
			one.query = s.listing(&one.args, org, f, q)
			all["deliveries, "+name+", "+where] = one
		}
	}
	return all
}

// How plans tell that all of a table that grows is read, and which node reads
// rows of one. Leased rows are always few.
var (
	postgresWhole  = regexp.MustCompile(`Seq Scan on (queue|event|log|tally)`)
	postgresRows   = regexp.MustCompile(`Scan .*on (queue|event|log|tally)`)
	sqliteWhole    = regexp.MustCompile(`^SCAN (queue|event|log|tally|[fqle])\b`)
	leasedRowsNode = "queue_lent"
)

// No statement that is asked all the time may read the whole of what has ever
// happened, or sort what it reads of it.
func TestPlansReadWhatTheyNeed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		for name, c := range flatQueries(t, s, history(t, s)) {
			plan := explainPlan(t, s, c)
			whole, sorts := postgresFaults(plan)
			if isSQLite(s) {
				whole, sorts = sqliteFaults(plan)
			}
			if isSQLite(s) && !strings.Contains(strings.Join(plan, "\n"), c.index) {
				t.Errorf("%s does not use %s:\n%s", name, c.index, strings.Join(plan, "\n"))
			}
			if whole || sorts > c.sorts {
				t.Errorf("%s reads a whole table (%t) or sorts it (%d):\n%s",
					name, whole, sorts, strings.Join(plan, "\n"))
			}
		}
	})
}

// postgresFaults counts the nodes that sort rows as they come from a table.
func postgresFaults(plan []string) (whole bool, sorts int) {
	sorting := false
	for _, line := range plan {
		node := strings.Contains(line, "->") || !strings.HasPrefix(line, " ")
		whole = whole || postgresWhole.MatchString(line)
		if sorting && node && postgresRows.MatchString(line) && !strings.Contains(line, leasedRowsNode) {
			sorts++
		}
		if strings.Contains(line, "Sort Key: ((+ ") { // the part of a list that is leased
			sorting = false
		}
		if node {
			sorting = strings.Contains(strings.TrimLeft(line, " ->"), "Sort  (")
		}
	}
	return whole, sorts
}

// sqliteFaults counts the same. The parts of a list are cut before they are put
// together.
func sqliteFaults(plan []string) (whole bool, sorts int) {
	before := ""
	for _, line := range plan {
		whole = whole || sqliteWhole.MatchString(line) && !strings.Contains(line, leasedRowsNode)
		if strings.HasPrefix(line, "USE TEMP B-TREE FOR ORDER BY") &&
			before != "SCAN part" && before != "SCAN d" && !strings.Contains(before, leasedRowsNode) {
			sorts++
		}
		before = line
	}
	return whole, sorts
}

func explainPlan(t *testing.T, s *testQueue, c flatQuery) []string {
	t.Helper()
	explain, columns := "EXPLAIN ", 0
	if isSQLite(s) {
		explain, columns = "EXPLAIN QUERY PLAN ", 3
	}
	rows, err := s.db.Writer().QueryContext(t.Context(), explain+s.Queue.db.sql(c.query), c.args...)
	plan, err := sqldb.Collect(rows, err, func(rows *sql.Rows) (line string, err error) {
		into := make([]any, columns, columns+1)
		for i := range into {
			into[i] = new(int)
		}
		err = rows.Scan(append(into, &line)...)
		return line, err
	})
	if err != nil || len(plan) == 0 {
		t.Fatalf("explain %s: %v", c.query, err)
	}
	return plan
}
