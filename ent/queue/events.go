package queue

import (
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// EventsByID implements [delivery.EventStore].
func (q *Queue) EventsByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.EventID,
) ([]delivery.Event, error) {
	return eventsByID(ctx, q.read, org, ids)
}

func eventsByID(
	ctx context.Context, db sqldb.Querier, org delivery.OrgID, ids []delivery.EventID,
) ([]delivery.Event, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	all := make([]delivery.Event, 0, len(ids))
	for some := range slices.Chunk(ids, idsPerStatement) {
		found, err := readEvents(ctx, db,
			"SELECT "+eventColumns+" FROM event e WHERE id"+sqldb.InList(some)+ofOrg(org))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// Events implements [delivery.EventStore].
func (q *Queue) Events(
	ctx context.Context, org delivery.OrgID, f delivery.EventFilter, p delivery.Page,
) (delivery.Slice[delivery.Event], error) {
	page, err := eventList.read(p)
	if err != nil {
		return delivery.Slice[delivery.Event]{}, err
	}
	var args []any
	found, err := readEvents(ctx, q.read, eventListing(q.db, &args, org, f, page), args...)
	if err != nil {
		return delivery.Slice[delivery.Event]{}, fmt.Errorf("list events: %w", err)
	}
	return idSlice(page, found, func(e *delivery.Event) int64 { return int64(e.ID) }), nil
}

// eventListing is the statement for a page.
func eventListing(db syntax, args *[]any, org delivery.OrgID, f delivery.EventFilter, page idPage) string {
	w := &where{args: args}
	w.add("NOT e.test")
	if org != 0 {
		w.add(fmt.Sprintf("e.org = %d", org))
	}
	if len(f.Types) > 0 {
		w.add("e.type" + typeWords.among(f.Types))
	}
	if f.Item != 0 {
		w.add(fmt.Sprintf("e.item = %d", f.Item))
	}
	w.keyed(org, "e.group_key", "e.group_id", string(f.Group))
	w.bySource(db, org, f.SourceEventID)
	if f.WorkspaceID != "" {
		w.text("e.workspace_id = ?", sqldb.Clean(f.WorkspaceID))
	}
	w.made("e.id", f.After, f.Before)
	page.conditions(w, "e.id")
	return "SELECT " + eventColumns + " FROM event e" + w.String() + page.order("e.id")
}

// keyed narrows to a text, through the index of its hash when the organization,
// which is part of the hash, is known. Empty text does not narrow.
func (w *where) keyed(org delivery.OrgID, key, column, text string) {
	if text == "" {
		return
	}
	if org != 0 {
		w.add(fmt.Sprintf("%s = %d", key, shortHash(org, text)))
	}
	w.text(column+" = ?", sqldb.Clean(text))
}

// bySource narrows to the events of one source: those that are found by its
// hash, and the one whose key it makes. Empty text does not narrow.
func (w *where) bySource(db syntax, org delivery.OrgID, source string) {
	if source == "" {
		return
	}
	if org != 0 {
		w.add("e.id IN (" + db.ofSource(org, source) + ")")
	}
	w.text("e.source_id = ?", sqldb.Clean(source))
}

// EventsOfGroup implements [delivery.EventStore].
func (q *Queue) EventsOfGroup(
	ctx context.Context, org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int,
) ([]delivery.Event, error) {
	var args []any
	found, err := readEvents(ctx, q.read, fmt.Sprintf("SELECT %s FROM event e%s ORDER BY e.id LIMIT %d",
		eventColumns, ofGroup(&args, org, g, t), max(0, limit)), args...)
	if err != nil {
		return nil, fmt.Errorf("read events of a group: %w", err)
	}
	return found, nil
}

// CountOfGroup implements [delivery.EventStore].
func (q *Queue) CountOfGroup(
	ctx context.Context, org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int,
) (int, error) {
	var args []any
	count, err := q.numbers(ctx, groupCount(&args, org, g, t, limit), args...)
	if err != nil {
		return 0, fmt.Errorf("count events of a group: %w", err)
	}
	return int(count[0]), nil
}

// groupCount is the query of CountOfGroup.
func groupCount(args *[]any, org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int) string {
	return fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM event e%s LIMIT %d) AS counted",
		ofGroup(args, org, g, t), max(0, limit))
}

// ofGroup narrows to a group's events of one type.
func ofGroup(args *[]any, org delivery.OrgID, g delivery.GroupID, t delivery.EventType) *where {
	w := &where{args: args}
	w.add(fmt.Sprintf("e.org = %d AND e.type = %d AND NOT e.test", org, typeWords.code(t)))
	w.keyed(org, "e.group_key", "e.group_id", string(g))
	return w
}

// StoredByKey implements [delivery.EventStore].
func (q *Queue) StoredByKey(
	ctx context.Context, org delivery.OrgID, keys []string,
) (map[string]delivery.Stored, error) {
	all := make(map[string]delivery.Stored)
	for chunk := range slices.Chunk(keys, keysRead) {
		err := q.db.keyed(ctx, org, chunk, func(key string, k keyed) {
			all[key] = delivery.Stored{ID: k.event, Fingerprint: k.fingerprint, Deliveries: k.deliveries}
		})
		if err != nil {
			return nil, fmt.Errorf("read the events of keys: %w", err)
		}
	}
	return all, nil
}

// keysRead is how many keys one statement reads.
const keysRead = 500

// readEvents runs a query that selects eventColumns.
func readEvents(
	ctx context.Context, db sqldb.Querier, query string, args ...any,
) (all []delivery.Event, err error) {
	err = sqldb.Persist(ctx, func() error {
		rows, err := db.QueryContext(ctx, query, args...)
		all, err = sqldb.Collect(rows, err, scanning(eventReads, (*eventRow).event))
		return err
	})
	return all, err
}
