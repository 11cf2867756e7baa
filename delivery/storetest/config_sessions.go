package storetest

import (
	"slices"
	"strconv"
	"time"

	"portalhooks/delivery"
)

// session stores a session whose id ends with name, and returns it.
func (d *desk) session(name string, created time.Time, keep int) delivery.Session {
	d.Helper()
	s := delivery.Session{
		ID: d.org.ExternalID + name, Person: d.org.ExternalID + " ada", Name: "Ada",
		CreatedAt: created, SeenAt: created, EndsAt: created.Add(12 * time.Hour),
		Claims: map[string][]string{"groups": {"a", "\"b\""}, "email": {"ada@example.com"}},
	}
	d.ok(d.store.CreateSession(d.Context(), s, keep))
	return s
}

// sessions returns which of the names still have a session, sorted.
func (d *desk) sessions(names ...string) []string {
	d.Helper()
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = d.org.ExternalID + name
	}
	found := []string{}
	for _, s := range must(d.store.SessionsByID(d.Context(), ids))(d) {
		found = append(found, s.ID[len(d.org.ExternalID):])
	}
	slices.Sort(found)
	return found
}

func testSessions(d *desk) {
	// Another test of this store discards old sessions, so these are new.
	now := time.Now().UTC().Truncate(time.Microsecond)
	s := d.session("one", now, 9)
	d.session("two", now, 9)
	read := must(d.store.SessionsByID(d.Context(), []string{s.ID, "none"}))(d)
	same(d, "a session", read, []delivery.Session{s})
	same(d, "no sessions", len(must(d.store.SessionsByID(d.Context(), nil))(d)), 0)

	seen := now.Add(time.Minute)
	d.ok(d.store.TouchSessions(d.Context(), []string{s.ID, "none"}, seen))
	d.ok(d.store.TouchSessions(d.Context(), []string{s.ID}, now))
	s.SeenAt = seen
	same(d, "a used one", must(d.store.SessionsByID(d.Context(), []string{s.ID}))(d), []delivery.Session{s})

	d.ok(d.store.EndSession(d.Context(), s.ID))
	d.ok(d.store.EndSession(d.Context(), s.ID))
	d.ok(d.store.TouchSessions(d.Context(), []string{s.ID}, seen))
	same(d, "those left", d.sessions("one", "two"), []string{"two"})
}

func testSessionsOfAPerson(d *desk) {
	now := time.Now().UTC()
	for i := range 4 {
		d.session(strconv.Itoa(i), now.Add(time.Duration(i)*time.Second), 3)
	}
	same(d, "the newest three", d.sessions("0", "1", "2", "3"), []string{"1", "2", "3"})
}

func testDiscardSessions(d *desk) {
	now := time.Now().UTC()
	for i := range 3 {
		d.session("old"+strconv.Itoa(i), now.Add(-3*time.Hour), 9)
	}
	used := d.session("used", now.Add(-3*time.Hour), 9)
	d.ok(d.store.TouchSessions(d.Context(), []string{used.ID}, now))
	d.session("fresh", now, 9)
	more, err := d.store.DiscardSessions(d.Context(), now.Add(-2*time.Hour))
	d.ok(err)
	same(d, "more to discard", more, false)
	same(d, "those left", d.sessions("old0", "old1", "old2", "used", "fresh"), []string{"fresh", "used"})
}
