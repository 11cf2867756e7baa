package queue

import (
	"slices"
	"testing"
)

// The log has no column that entries don't have, and the other way round.
func TestEntriesHaveTheColumnsOfTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		rows, err := s.db.Reader().QueryContext(t.Context(), "SELECT * FROM log WHERE id = 0")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		want, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		if rows.Next() || rows.Err() != nil {
			t.Fatal("the log has an entry", rows.Err())
		}
		var got []string
		for _, c := range logTable {
			got = append(got, c.name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("entries have the columns %v, want %v", got, want)
		}
	})
}

// What stands for NULL is NULL in the table and itself in a row.
func TestAValueThatStandsForNullIsNull(t *testing.T) {
	number := column[int64]{"n", absent, func(r *int64) any { return r }}
	for value, want := range map[int64]any{absent: nil, 0: int64(0)} {
		if got := number.value(&value); got != want {
			t.Errorf("%d is stored as %v, want %v", value, got, want)
		}
	}
	text := columns[string]{{"t", "", func(r *string) any { return r }}}
	if got, want := text.stored("s", nil), "NULLIF(s.t, '')"; got != want {
		t.Errorf("stored as %s, want %s", got, want)
	}
	if got, want := text.selected("s"), "COALESCE(s.t, '')"; got != want {
		t.Errorf("read as %s, want %s", got, want)
	}
}
