package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A deliverySource is one of the places that deliveries are read from.
type deliverySource struct {
	from    string // with its short name: "queue q"
	short   string
	columns string
	id      string // the column of the delivery's id
	index   string // the condition of the indexes
	states  []delivery.State
}

// deliverySources are the places of deliveries: pending ones are rows of the
// queue, waiting and leased, finished ones are the final entries of the log. One
// statement reads all, so none is missed when it moves.
func deliverySources(db syntax) []deliverySource {
	return []deliverySource{
		{
			"queue q", "q", pendingColumns, "q.id", "q.owner_slot IS NULL",
			[]delivery.State{delivery.Queued, delivery.Retrying, delivery.Held},
		},
		{
			db.leasedRows(), "q", pendingColumns, "+q.id", "q.owner_slot IS NOT NULL",
			[]delivery.State{delivery.Queued, delivery.Sending, delivery.Retrying},
		},
		{
			"log l", "l", finalColumns, "l.delivery", named("l.state >= @state.DELIVERED"),
			[]delivery.State{delivery.Delivered, delivery.Failed, delivery.Canceled},
		},
	}
}

// DeliveriesByID implements [delivery.DeliveryStore].
func (q *Queue) DeliveriesByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.DeliveryID,
) ([]delivery.Delivery, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := q.deliveries(ctx, fmt.Sprintf(
		"SELECT %s FROM queue q WHERE id%s%s UNION ALL SELECT %s FROM log l WHERE delivery%s%s AND state >= %d%s",
		pendingColumns, sqldb.InList(ids), ofOrg(org),
		finalColumns, sqldb.InList(ids), loggedSince(ids), stateWords.code(delivery.Delivered), ofOrg(org)))
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return all, nil
}

// Deliveries implements [delivery.DeliveryStore].
func (q *Queue) Deliveries(
	ctx context.Context, org delivery.OrgID, f delivery.DeliveryFilter, p delivery.Page,
) (delivery.Slice[delivery.Delivery], error) {
	page, err := deliveryList.read(p)
	if err != nil {
		return delivery.Slice[delivery.Delivery]{}, err
	}
	page.bound(f, time.Now())
	var args []any
	var found []delivery.Delivery
	if query := q.listing(&args, org, f, page); query != "" {
		found, err = q.deliveries(ctx, query, args...)
	}
	if err != nil {
		return delivery.Slice[delivery.Delivery]{}, fmt.Errorf("list deliveries: %w", err)
	}
	return idSlice(page, found, func(d *delivery.Delivery) int64 { return int64(d.ID) }), nil
}

// listing is the statement for a page; empty when nothing can pass the filter.
func (q *Queue) listing(args *[]any, org delivery.OrgID, f delivery.DeliveryFilter, page idPage) string {
	var parts []string
	for _, place := range deliverySources(q.db) {
		states := place.states
		if len(f.States) > 0 {
			states = slices.DeleteFunc(states, func(s delivery.State) bool { return !slices.Contains(f.States, s) })
		}
		if len(states) > 0 {
			w := &where{args: args}
			parts = append(parts, "SELECT * FROM ("+place.statement(w, q.db, org, f, states, page)+") part")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ") d" + page.order("d.id")
}

// statement selects the first rows of one place that pass the filter.
func (d deliverySource) statement(
	w *where, db syntax, org delivery.OrgID, f delivery.DeliveryFilter, states []delivery.State, page idPage,
) string {
	if org != 0 {
		// Without statistics, which are not kept for it, SQLite would go through
		// all rows of the organization where another index leads to fewer.
		unindexed := ""
		if f.Event != 0 || f.Group != "" {
			unindexed = db.unindexed()
		}
		w.add(fmt.Sprintf("%s%s.org = %d", unindexed, d.short, org))
	}
	d.narrow(w, f, states)
	w.made(d.id, f.After, f.Before)
	page.conditions(w, d.id)
	if d.short == "l" {
		d.prune(w, f.After, page)
	}
	from := d.from
	if d.ofEvent(w, db, org, f) {
		from += " JOIN event e ON e.id = " + d.short + ".event"
	}
	return "SELECT " + d.columns + " FROM " + from + w.String() + page.order(d.id)
}

// narrow adds the conditions on the row itself.
func (d deliverySource) narrow(w *where, f delivery.DeliveryFilter, states []delivery.State) {
	add := func(column, condition string) { w.add(d.short + "." + column + condition) }
	w.add(d.index)
	if d.short == "l" && !slices.Contains(states, delivery.Delivered) {
		w.add(named("l.state >= @state.FAILED"))
	}
	if len(states) < len(d.states) {
		w.add(d.among(states))
	}
	if len(f.Webhooks) > 0 {
		add("webhook", sqldb.InList(f.Webhooks))
	}
	if len(f.Types) > 0 {
		add("type", typeWords.among(f.Types))
	}
	if len(f.Triggers) > 0 {
		add("trigger", triggerWords.among(f.Triggers))
	}
	if len(f.Outcomes) > 0 {
		add("outcome", outcomeWords.among(f.Outcomes))
	}
	if f.StatusFrom > 0 {
		add("status", fmt.Sprintf(" >= %d", f.StatusFrom))
	}
	if f.StatusTo > 0 {
		add("status", fmt.Sprintf(" <= %d", f.StatusTo))
	}
	if f.Event != 0 {
		add("event", fmt.Sprintf(" = %d", f.Event))
	}
	if f.Item != 0 {
		add("item", fmt.Sprintf(" = %d", f.Item))
	}
}

// among is true for rows in one of the states. It names plain columns, for which
// PostgreSQL has statistics.
func (d deliverySource) among(states []delivery.State) string {
	if d.short == "l" {
		return "l.state" + stateWords.among(states)
	}
	var any []string
	for _, state := range states {
		any = append(any, "("+pendingStates[state]+")")
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// ofEvent adds the conditions on the event and reports whether there are any.
func (d deliverySource) ofEvent(w *where, db syntax, org delivery.OrgID, f delivery.DeliveryFilter) bool {
	before := len(w.conditions)
	w.keyed(org, "e.group_key", "e.group_id", string(f.Group))
	if f.WorkspaceID != "" {
		w.text("e.workspace_id = ?", sqldb.Clean(f.WorkspaceID))
	}
	if f.Text != "" {
		w.contains(db, f.Text, "e.item_name", "e.workspace", "e.workspace_id")
	}
	return len(w.conditions) > before
}

// prune bounds the entries: a delivery's are not older than itself.
func (d deliverySource) prune(w *where, after time.Time, page idPage) {
	oldest := int64(0)
	if !after.IsZero() {
		oldest = delivery.IDAt[int64](after)
	}
	if oldest = max(oldest, page.newer, page.floor); oldest > 0 {
		w.add(fmt.Sprintf("l.id >= %d", delivery.IDAt[int64](delivery.IDTime(oldest).Add(-clockSkew))))
	}
}

// deliveries runs a query that selects pendingColumns or finalColumns.
func (q *Queue) deliveries(
	ctx context.Context, query string, args ...any,
) (all []delivery.Delivery, err error) {
	err = sqldb.Persist(ctx, func() error {
		rows, err := q.read.QueryContext(ctx, q.db.sql(query), args...)
		all, err = sqldb.Collect(rows, err, scanning(listedReads, (*listedRow).listed))
		return err
	})
	return all, err
}
