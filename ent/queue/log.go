package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// slotOf is the slot of the server that wrote an entry, which an index of the
// log has: the entries of one server are in the order of their commits.
const slotOf = "((id >> 12) & 1023)"

// slots returns every slot that a server has ever joined under.
func (q *Queue) slots(ctx context.Context) ([]int64, error) {
	return q.numbers(ctx, "SELECT slot FROM instance ORDER BY slot")
}

// Tail implements [delivery.Log].
func (q *Queue) Tail(ctx context.Context) (map[int]delivery.LogID, error) {
	slots, err := q.slots(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the log's end: %w", err)
	}
	tail := make(map[int]delivery.LogID, len(slots))
	for _, slot := range slots {
		latest, err := q.numbers(ctx, fmt.Sprintf(
			"SELECT id FROM log WHERE %s = %d ORDER BY id DESC LIMIT 1", slotOf, slot))
		if err != nil {
			return nil, fmt.Errorf("find the log's end: %w", err)
		}
		if len(latest) > 0 {
			tail[int(slot)] = delivery.LogID(latest[0])
		}
	}
	return tail, nil
}

// LatestID implements [delivery.Log]. The bound is a literal, so that only the
// partitions after it are read.
func (q *Queue) LatestID(ctx context.Context, slot int, since time.Time) (latest int64, err error) {
	for _, table := range []string{"event", "queue", "log"} {
		found, err := q.numbers(ctx, fmt.Sprintf("SELECT COALESCE(max(id), 0) FROM %s WHERE id >= %d AND %s = %d",
			table, delivery.IDAt[int64](since), slotOf, slot))
		if err != nil {
			return 0, fmt.Errorf("find the latest id of a slot: %w", sqldb.Unavailable(err))
		}
		latest = max(latest, found[0])
	}
	return latest, nil
}

// Follow implements [delivery.Log]. Only slots that a server has joined under
// are followed.
func (q *Queue) Follow(
	ctx context.Context, after map[int]delivery.LogID, limit int,
) ([]delivery.LogEntry, error) {
	if limit < 1 {
		return nil, nil
	}
	slots, err := q.slots(ctx)
	if err != nil || len(slots) == 0 {
		return nil, followError(err)
	}
	// The bounds are literals, so that only the partitions after them are
	// planned; each part is read in the order of its index.
	var query strings.Builder
	for i, slot := range slots {
		if i > 0 {
			query.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&query, "SELECT * FROM (SELECT * FROM log WHERE %s = %d AND id > %d ORDER BY id LIMIT %d) s%d",
			slotOf, slot, after[int(slot)], limit, slot)
	}
	entries, err := q.entries(ctx, fmt.Sprintf("SELECT %s FROM (%s) l ORDER BY l.id LIMIT %d",
		entryColumns, query.String(), limit))
	return entries, followError(err)
}

func followError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("follow the log: %w", err)
}

// Horizon implements [delivery.Log].
func (q *Queue) Horizon(ctx context.Context) (time.Time, error) {
	at, err := q.numbers(ctx, "SELECT at FROM horizon")
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return sqldb.TimeOf(at[0]), nil
}

// entries reads the log; the query selects entryColumns.
func (q *Queue) entries(ctx context.Context, query string) (all []delivery.LogEntry, err error) {
	err = sqldb.Persist(ctx, func() error {
		rows, err := q.read.QueryContext(ctx, query)
		all, err = sqldb.Collect(rows, err, scanning(logTable, (*logRow).entry))
		return err
	})
	return all, err
}

// Entries implements [delivery.DeliveryStore].
func (q *Queue) Entries(
	ctx context.Context, org delivery.OrgID, ids []delivery.DeliveryID,
) (map[delivery.DeliveryID][]delivery.LogEntry, error) {
	byDelivery := make(map[delivery.DeliveryID][]delivery.LogEntry, len(ids))
	if len(ids) == 0 {
		return byDelivery, nil
	}
	all, err := q.entries(ctx, fmt.Sprintf("SELECT %s FROM log l WHERE delivery%s%s%s ORDER BY at, id",
		entryColumns, sqldb.InList(ids), loggedSince(ids), ofOrg(org)))
	if err != nil {
		return nil, fmt.Errorf("read the log of deliveries: %w", err)
	}
	for _, e := range all {
		byDelivery[e.Delivery.ID] = append(byDelivery[e.Delivery.ID], e)
	}
	return byDelivery, nil
}

// EntriesByID implements [delivery.DeliveryStore].
func (q *Queue) EntriesByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.LogID,
) ([]delivery.LogEntry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	bySlot := map[int][]delivery.LogID{}
	for _, id := range ids {
		bySlot[delivery.IDSlot(id)] = append(bySlot[delivery.IDSlot(id)], id)
	}
	parts := make([]string, 0, len(bySlot))
	for slot, some := range bySlot {
		parts = append(parts, fmt.Sprintf("%s = %d AND id%s", slotOf, slot, sqldb.InList(some)))
	}
	all, err := q.entries(ctx, fmt.Sprintf("SELECT %s FROM log l WHERE (%s)%s",
		entryColumns, strings.Join(parts, " OR "), ofOrg(org)))
	if err != nil {
		return nil, fmt.Errorf("read log entries: %w", err)
	}
	return all, nil
}

// clockSkew is how far the clocks of servers may be apart for a search in the
// log to find everything.
const clockSkew = time.Hour

// loggedSince bounds a search for deliveries' entries: these are not older than
// the deliveries, so older partitions need not be read.
func loggedSince(ids []delivery.DeliveryID) string {
	first := ids[0]
	for _, id := range ids {
		first = min(first, id)
	}
	return fmt.Sprintf(" AND id >= %d", delivery.IDAt[int64](delivery.IDTime(first).Add(-clockSkew)))
}
