package queue

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/ent/enttest"
)

// facts stores n events of the given day, each with a delivery, and returns
// them.
func facts(t *testing.T, s *testQueue, n int, day time.Time, state delivery.State) []delivery.NewEvent {
	t.Helper()
	s.organization(t, 7)
	events := make([]delivery.NewEvent, n)
	for i := range events {
		id := delivery.IDAt[int64](day) + int64(i) + 1
		e := delivery.Event{
			ID: delivery.EventID(id), Org: 7, Type: delivery.ActiveAlert, Variables: []byte("{}"),
		}
		events[i] = delivery.NewEvent{Event: e, Key: e.ID.String(), Deliveries: []delivery.Delivery{{
			ID: delivery.DeliveryID(id), Org: e.Org, Webhook: 3, Version: 4, Event: e.ID, Type: e.Type, State: state,
		}}}
	}
	ingestAll(t, s, events)
	return events
}

func ingestAll(t *testing.T, s *testQueue, events []delivery.NewEvent) []delivery.Stored {
	t.Helper()
	got, err := s.Ingest(t.Context(), observer, time.Hour, []delivery.Ingest{
		{Org: events[0].Event.Org, Events: events},
	})
	if err != nil || got[0].Stale {
		t.Fatal(got, err)
	}
	return got[0].Events
}

// An index has room for the longest key, also for one that doesn't compress.
func TestTheLongestKeyIsStored(t *testing.T) {
	t.Parallel()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openQueue(t, url(t))
			key := make([]byte, 1100)
			_, _ = rand.Read(key) // which never fails
			events := facts(t, s, 2, time.Now(), delivery.Queued)
			for i := range events {
				e := &events[i]
				e.Event.ID, e.Key, e.Deliveries = e.Event.ID+100, string(key[i:]), nil
			}
			for range 2 {
				for i, got := range ingestAll(t, s, events) {
					if got.ID != events[i].Event.ID {
						t.Errorf("the event %v is stored as %v", events[i].Event.ID, got)
					}
				}
			}
		})
	}
}

func TestPrepareMakesTheDaysAhead(t *testing.T) {
	t.Parallel()
	s := openQueue(t, enttest.Postgres(t))
	now := time.Date(2026, 2, 27, 23, 59, 0, 0, time.UTC)
	for range 2 { // twice is once
		if err := s.Prepare(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range partitioned {
		days, err := postgres(s).partitions(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, day := range days {
			got = append(got, day.Format(dayForm))
		}
		want := []string{"20260226", "20260227", "20260228", "20260301", "20260302"}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the days %v, want %v", table, got, want)
		}
	}
}

// A table that was made for a day and never attached, before a migration added a
// column, does not keep events of the day from being stored.
func TestAPartitionThatWasLeftOverIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := openQueue(t, enttest.Postgres(t))
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, table := range partitioned {
		name := partitionName(table, day)
		for _, statement := range []string{
			"CREATE TABLE " + name + " (LIKE " + table + " INCLUDING ALL)",
			"ALTER TABLE " + name + " DROP COLUMN type",
		} {
			if _, err := s.db.Writer().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	stored := facts(t, s, 2, day, delivery.Queued)
	if err := postgres(s).attachPartition(t.Context(), "event", day); err == nil {
		t.Error("a partition with events was made again")
	}
	kept, err := s.numbers(t.Context(), "SELECT count(*) FROM event")
	if err != nil || kept[0] != int64(len(stored)) {
		t.Errorf("%v events are kept, %v, want %d", kept, err, len(stored))
	}
}

func TestDiscardDropsWholeDays(t *testing.T) {
	t.Parallel()
	s := openQueue(t, enttest.Postgres(t))
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	waiting := facts(t, s, 2, day, delivery.Held)
	facts(t, s, 2, day.AddDate(0, 0, 1), delivery.Queued)
	facts(t, s, 2, day.AddDate(0, 0, 2), delivery.Queued)
	_, err := s.db.Writer().ExecContext(t.Context(), "DELETE FROM queue WHERE id <> $1",
		int64(waiting[0].Event.ID))
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if more, err = s.Discard(t.Context(), day.AddDate(0, 0, 2).Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	days, err := postgres(s).partitions(t.Context(), "event")
	if err != nil {
		t.Fatal(err)
	}
	// The first day waits for what is held, the second is dropped, the third is not
	// over.
	if want := []time.Time{day, day.AddDate(0, 0, 2)}; !slices.EqualFunc(days, want, time.Time.Equal) {
		t.Errorf("events have the days %v, want %v", days, want)
	}
	left, err := s.numbers(t.Context(), "SELECT id FROM event WHERE id < $1",
		delivery.IDAt[int64](day.AddDate(0, 0, 1)))
	if want := []int64{int64(waiting[0].Event.ID)}; err != nil || !slices.Equal(left, want) {
		t.Errorf("the first day has %v, %v, want only the pending event %v", left, err, want)
	}
	days, err = postgres(s).partitions(t.Context(), "log")
	if want := []time.Time{day.AddDate(0, 0, 2)}; err != nil || !slices.EqualFunc(days, want, time.Time.Equal) {
		t.Errorf("the log has the days %v, %v, want %v", days, err, want)
	}
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	s := openQueue(t, databases["SQLite"](t))
	facts(t, s, 1, time.Now(), delivery.Queued)
	limit := func(pages string) {
		t.Helper()
		if _, err := s.db.Writer().ExecContext(t.Context(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // not below what is used: nothing can be added
	var events []delivery.NewEvent
	for i := range 2000 {
		id := delivery.IDAt[delivery.EventID](time.Now()) + delivery.EventID(i)
		e := delivery.Event{ID: id, Org: 7, Variables: []byte("{}")}
		events = append(events, delivery.NewEvent{Event: e, Key: e.ID.String()})
	}
	_, err := s.Ingest(t.Context(), delivery.Owner{}, time.Hour, []delivery.Ingest{{Org: 7, Events: events}})
	if delivery.CodeOf(err) != delivery.Unavailable {
		t.Fatalf("with a full disk Ingest gave %v, want UNAVAILABLE", err)
	}
	if err := s.Ping(t.Context()); delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("with a full disk Ping gave %v, want UNAVAILABLE", err)
	}
	limit("1000000")
	for i, stored := range ingestAll(t, s, events) {
		if !stored.Fresh {
			t.Fatalf("event %d was stored while the disk was full", i)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("with space on the disk again Ping gave %v", err)
	}
}

func TestNotifyWakesOtherServers(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	first, second := openQueue(t, url), openQueue(t, url)
	// A connection that was just made counts as a notification, so the first wake
	// may come early; Notify is called until one came after that.
	for range 2 {
		tick := time.NewTicker(20 * time.Millisecond)
		for heard := false; !heard; {
			select {
			case <-second.Wake():
				heard = true
			case <-tick.C:
				first.Notify()
			case <-t.Context().Done():
				t.Fatal("no notification was received")
			}
		}
		tick.Stop()
	}
	if s := openQueue(t, databases["SQLite"](t)); s.Wake() != nil {
		t.Error("SQLite has notifications")
	}
}

func TestEveryWordHasANumber(t *testing.T) {
	t.Parallel()
	for _, o := range []delivery.Outcome{
		egress.Success, egress.HTTPError, egress.Redirect, egress.Timeout, egress.DNSError, egress.ConnectError,
		egress.TLSError, egress.Blocked, egress.ResponseError, egress.Canceled, delivery.RuleFailed,
		delivery.BodyTooLarge,
	} {
		if code := outcomeWords.code(o); code == 0 || outcomeWords.word(code) != o {
			t.Errorf("the outcome %s has the number %d", o, code)
		}
	}
	firstFinal := stateWords.code(delivery.Delivered)
	for _, s := range stateWords[1:] {
		if code := stateWords.code(s); s.Final() != (code >= firstFinal) {
			t.Errorf("the state %s has the number %d: final ones start at %d", s, code, firstFinal)
		}
	}
	if got := outcomeWords.word(99); got != "" {
		t.Errorf("an unknown number is %q, want nothing", got)
	}
}
