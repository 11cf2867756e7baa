package queue

import (
	"time"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
)

// arrays gathers rows column by column, which is how one statement takes many.
// A row adds to the columns in their order, then calls next.
type arrays struct {
	columns []any // *[]int64, *[]bool, *[]string or *[][]byte
	at      int
}

// next begins another row.
func (a *arrays) next() { a.at = 0 }

func (a *arrays) ints(values ...int64) {
	for _, v := range values {
		add(a, v)
	}
}

func (a *arrays) texts(values ...string) {
	for _, v := range values {
		add(a, sqldb.Clean(v))
	}
}

// add puts v into the row's next column, which always gets the same type.
func add[T any](a *arrays, v T) {
	if a.at == len(a.columns) {
		a.columns = append(a.columns, &[]T{})
	}
	column := a.columns[a.at].(*[]T)
	*column = append(*column, v)
	a.at++
}

// args returns the columns as arguments; n of them, empty ones, if no row came.
func (a *arrays) args(n int) []any {
	args := make([]any, n)
	for i := range args {
		args[i] = "{}"
		if i < len(a.columns) {
			args[i] = sqldb.Array(a.columns[i])
		}
	}
	return args
}

// ingestArgs are the arguments of postgresIngest; ids are those of the events.
func ingestArgs(
	owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) (args []any, ids []int64) {
	var groups, events, deliveries arrays
	for i := range batch {
		in := &batch[i]
		groups.next()
		groups.ints(int64(in.Org), in.ConfigVersion)
		for j := range in.Events {
			e := &in.Events[j]
			ids = append(ids, int64(e.Event.ID))
			addEvent(&events, int64(i+1), in.Org, e)
			for k := range e.Deliveries {
				d := &e.Deliveries[k]
				addDelivery(&deliveries, d, e.Event.ID)
				add(&deliveries, isLent(d))
				add(&deliveries, d.Ordered)
			}
		}
	}
	args = append(groups.args(2), events.args(18)...)
	queued := deliveries.args(13)
	args = append(args, queued[:11]...)
	return append(args, lease.Microseconds(), owner.Slot, owner.Epoch, queued[11], queued[12]), ids
}

func addEvent(a *arrays, group int64, org delivery.OrgID, n *delivery.NewEvent) {
	e := &n.Event
	a.next()
	a.ints(group, int64(e.ID), int64(org))
	add(a, []byte(n.Key))
	a.ints(int64(n.Fingerprint), int64(len(n.Deliveries)))
	addFacts(a, e, n.BySource)
}

// addFacts adds the columns of an event from item on.
func addFacts(a *arrays, e *delivery.Event, bySource bool) {
	a.ints(int64(e.Item), sqldb.Micros(e.OccurredAt), shortHash(e.Org, string(e.Group)),
		sourceHash(e, bySource), typeWords.code(e.Type))
	add(a, e.Test)
	a.texts(e.ItemName, string(e.Group), e.SourceEventID, e.WorkspaceID, e.WorkspaceName, string(e.Variables))
}

// addDelivery adds the columns of a row of the queue up to held.
func addDelivery(a *arrays, d *delivery.Delivery, event delivery.EventID) {
	a.next()
	a.ints(int64(d.ID), int64(d.Org), int64(d.Webhook), int64(d.Version), int64(event), int64(d.Item),
		int64(d.RedeliveryOf), typeWords.code(d.Type), triggerWords.code(d.Trigger), int64(d.Attempts))
	add(a, d.State == delivery.Held)
}
