package queue

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// The lists that are ordered by id, newest first. A cursor names its list, so
// that another list refuses it.
type idList byte

const (
	eventList    idList = 'e'
	deliveryList idList = 'd'
)

// cursor points at one row of the list.
func (l idList) cursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte{byte(l)}, uint64(id)))
}

// position reads a cursor; field is the argument that errors name.
func (l idList) position(field, cursor string) (int64, error) {
	raw, ok := sqldb.ReadCursor(cursor)
	if !ok || len(raw) != 9 || raw[0] != byte(l) {
		return 0, delivery.Errorf(delivery.Invalid, field,
			"The cursor is not one of this list. Use a cursor that an earlier page of it gave out.")
	}
	return int64(binary.BigEndian.Uint64(raw[1:])), nil
}

// An idPage is a Page of a list by id, with its cursors read.
type idPage struct {
	list   idList
	page   delivery.Page
	older  int64 // only ids below this; 0 for no bound
	newer  int64 // only ids above this
	oldest bool  // the last ones are asked for, so the scan goes up
	limit  int   // one more than asked for tells whether there are more
	floor  int64 // the end of a bounded scan: only ids from this on are looked at; 0 for no bound
}

func (l idList) read(p delivery.Page) (q idPage, err error) {
	q = idPage{list: l, page: p}
	size := p.First
	if q.oldest = p.First <= 0 && p.Last > 0; q.oldest {
		size = p.Last
	}
	if size <= 0 {
		size = delivery.DefaultPageSize
	}
	q.limit = min(size, sqldb.MaxPage) + 1
	if p.After != "" {
		if q.older, err = l.position("after", p.After); err != nil {
			return q, err
		}
	}
	if p.Before != "" {
		q.newer, err = l.position("before", p.Before)
	}
	return q, err
}

// bound ends the scan where the page's window ends, which begins at the page's
// start: the latest id that the filter allows. It leaves a scan alone that the
// filter ends earlier.
func (q *idPage) bound(f delivery.DeliveryFilter, now time.Time) {
	if q.page.Window <= 0 || q.oldest {
		return
	}
	start := now
	if !f.Before.IsZero() && f.Before.Before(start) {
		start = f.Before
	}
	if q.page.After != "" && delivery.IDTime(q.older).Before(start) {
		start = delivery.IDTime(q.older)
	}
	floor := delivery.IDAt[int64](start.Add(-q.page.Window))
	if floor > max(q.newer, delivery.IDAt[int64](f.After)) {
		q.floor = floor
	}
}

// conditions bounds the column that has the id.
func (q idPage) conditions(w *where, column string) {
	if q.page.After != "" {
		w.add(fmt.Sprintf("%s < %d", column, q.older))
	}
	if q.page.Before != "" {
		w.add(fmt.Sprintf("%s > %d", column, q.newer))
	}
	if q.floor > 0 {
		w.add(fmt.Sprintf("%s >= %d", column, q.floor))
	}
}

// order sorts by the column and limits.
func (q idPage) order(column string) string {
	direction := "DESC"
	if q.oldest {
		direction = "ASC"
	}
	return fmt.Sprintf(" ORDER BY %s %s LIMIT %d", column, direction, q.limit)
}

// idSlice makes the slice of the rows that a scan found.
func idSlice[T any](q idPage, found []T, id func(*T) int64) delivery.Slice[T] {
	more := len(found) == q.limit
	if more {
		found = found[:q.limit-1]
	}
	// The row that a cursor was made of lies behind it.
	s := delivery.Slice[T]{Items: found, Total: -1, HasNext: q.page.Before != "", HasPrev: q.page.After != ""}
	if q.oldest {
		slices.Reverse(found)
		s.HasPrev = s.HasPrev || more
	} else {
		s.HasNext = s.HasNext || more || q.floor > 0
	}
	if q.floor > 0 && !more {
		s.SearchedTo, s.End = delivery.IDTime(q.floor), q.list.cursor(q.floor)
	}
	s.Cursors = make([]string, len(found))
	for i := range found {
		s.Cursors[i] = q.list.cursor(id(&found[i]))
	}
	return s
}
