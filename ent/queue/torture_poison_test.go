package queue

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
	"portalhooks/test/faults"
)

// poisonedRows are what a person, or a fault of the disk, writes into the tables
// past the program: one row of each kind is changed.
func poisonedRows(sqlite bool) map[string]string {
	const (
		queue = "UPDATE queue SET "
		event = "UPDATE event SET "
		log   = "UPDATE log SET "
	)
	rows := map[string]string{
		"queue: negative attempts":         queue + "attempts = -5",
		"queue: a type that is unknown":    queue + "type = 99",
		"queue: a trigger that is unknown": queue + "trigger = 99, outcome = 99, status = -7",
		"queue: no such version":           queue + "version = -1",
		"queue: no such webhook":           queue + "webhook = -1",
		"queue: no such organization":      queue + "org = -1",
		"queue: due before all time":       queue + "due_at = -4611686018427387904",
		"event: half a JSON object":        event + "variables = '{\"a\":'",
		"event: no variables":              event + "variables = ''",
		"event: a type that is unknown":    event + "type = 99, occurred_at = -1",
		"event: a time that is absurd":     event + "occurred_at = 4611686018427387904",
		"event: 16 MiB of variables":       event + "variables = '" + strings.Repeat("[", 16<<20) + "'",
		"log: a state that is unknown":     log + "state = 99, outcome = 99, trigger = 99, type = 99",
		"log: headers that are no JSON":    log + "headers = '[{\"n\":'",
		"log: headers of another shape":    log + "headers = '7'",
		"log: negative numbers":            log + "number = -1, status = -1, duration = -5, dns = -9",
		"log: a time that is absurd":       log + "at = 4611686018427387904, started_at = -4611686018427387904",
		"log: 16 MiB of an answer":         log + "response = '" + strings.Repeat("x", 16<<20) + "'",
	}
	if sqlite { // PostgreSQL refuses them
		rows["event: text that is not UTF-8"] = event +
			"item_name = CAST(x'ff00fe' AS TEXT), variables = CAST(x'7bff' AS TEXT)"
		rows["log: text that is not UTF-8"] = log + "error = CAST(x'ff00fe' AS TEXT), headers = CAST(x'ff' AS TEXT)"
	}
	return rows
}

// A row with broken content is read as far as it can be. The others are still
// claimed, settled, listed, followed and discarded.
func TestTorturePoisonRows(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		owner, err := s.Join(t.Context(), "first", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		log := delivery.NewIDs(owner.Slot)
		rows := poisonedRows(isSQLite(s))
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			poisoned(t, s, owner, log, name, rows[name])
			faults.Result{
				Fault: "poison row, " + name, Database: databaseOf(s), Rounds: 1,
				Note: "claimed, settled, listed and followed with the others",
			}.Report(t)
			empty(t, s)
		}
	})
}

func poisoned(
	t *testing.T, s *testQueue, owner delivery.Owner, log *delivery.IDs, name, statement string,
) {
	ctx := t.Context()
	table, _, _ := strings.Cut(strings.TrimPrefix(statement, "UPDATE "), " ")
	tail, err := s.Tail(ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := ids(facts(t, s, 10, time.Now(), delivery.Queued))
	victim := int64(all[4])
	if table != "log" {
		spoil(t, s, statement, victim)
	}
	jobs, err := s.Claim(ctx, delivery.ClaimRequest{Owner: owner, N: 100, PerWebhook: 100, Lease: time.Hour})
	if err != nil || len(jobs) != len(all) {
		t.Errorf("%s: claimed %d of %d: %v", name, len(jobs), len(all), err)
	}
	readable(t, s, name, all)
	batch := make([]delivery.Settlement, len(jobs))
	for i, j := range jobs {
		d := j.Delivery
		d.Attempts, d.State, d.FinishedAt = d.Attempts+1, delivery.Delivered, time.Now()
		batch[i] = delivery.Settlement{Owner: owner, Before: j.Delivery.Attempts, Entry: delivery.LogEntry{
			ID: delivery.LogID(log.Next()), At: time.Now(), Delivery: d,
			Attempt: &delivery.Attempt{Number: 1, StartedAt: time.Now(), HTTPStatus: 200},
		}}
	}
	held, err := s.Settle(ctx, batch)
	if err != nil || slices.Contains(held, false) {
		t.Errorf("%s: settled %v, %v", name, held, err)
	}
	if table == "log" {
		spoil(t, s, statement, int64(batch[4].Entry.ID))
	}
	entries, err := s.Follow(ctx, tail, 100)
	if err != nil || len(entries) != len(all) {
		t.Errorf("%s: followed %d of %d: %v", name, len(entries), len(all), err)
	}
	byDelivery, err := s.Entries(ctx, 0, all)
	if err != nil || len(byDelivery) != len(all) {
		t.Errorf("%s: the log has %d of %d: %v", name, len(byDelivery), len(all), err)
	}
	readable(t, s, name, all)
	if _, err := s.Discard(ctx, time.Now().Add(-time.Hour)); err != nil {
		t.Errorf("%s: Discard: %v", name, err)
	}
}

// spoil changes the row with the id, or whose only delivery has it.
func spoil(t *testing.T, s *testQueue, statement string, id int64) {
	t.Helper()
	err := s.Queue.db.change(t.Context(), func(ctx context.Context, q sqldb.Querier) error {
		n, err := sqldb.Affected(q.ExecContext(ctx, statement+" WHERE id = $1", id))
		if err == nil && n != 1 {
			t.Errorf("%d rows were spoilt, want 1", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readable checks that the deliveries and their events are listed.
func readable(t *testing.T, s *testQueue, name string, all []delivery.DeliveryID) {
	t.Helper()
	ctx := t.Context()
	got, err := s.Deliveries(ctx, 0, delivery.DeliveryFilter{}, delivery.Page{First: 100})
	found := 0
	for _, d := range got.Items {
		if slices.Contains(all, d.ID) {
			found++
		}
	}
	if err != nil || found != len(all) {
		t.Errorf("%s: listed %d of %d: %v", name, found, len(all), err)
	}
	events, err := s.Events(ctx, 0, delivery.EventFilter{}, delivery.Page{First: 100})
	if err != nil || len(events.Items) != len(all) {
		t.Errorf("%s: listed %d events of %d: %v", name, len(events.Items), len(all), err)
	}
	if _, err := s.Depth(ctx); err != nil {
		t.Errorf("%s: Depth: %v", name, err)
	}
	if _, err := s.Pending(ctx, []delivery.WebhookID{3, -1}, 100); err != nil {
		t.Errorf("%s: Pending: %v", name, err)
	}
}
