package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

func TestErrorsAreClassified(t *testing.T) {
	state := func(code string) error { return fmt.Errorf("x: %w", &pq.Error{Code: pqerror.Code(code)}) }
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	silent := &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	for name, tt := range map[string]struct {
		err                                       error
		duplicate, orphan, conflict, lost, repeat bool
	}{
		"unique violation":            {err: state("23505"), duplicate: true},
		"foreign key violation":       {err: state("23503"), orphan: true},
		"serialization failure":       {err: state("40001"), conflict: true, repeat: true},
		"deadlock":                    {err: state("40P01"), conflict: true, repeat: true},
		"shut down":                   {err: state("57P01"), lost: true, repeat: true},
		"starting up":                 {err: state("57P03"), lost: true, repeat: true},
		"connection failure":          {err: state("08006"), lost: true, repeat: true},
		"syntax error":                {err: state("42601")},
		"bad connection":              {err: driver.ErrBadConn, lost: true, repeat: true},
		"cut off":                     {err: io.ErrUnexpectedEOF, lost: true, repeat: true},
		"refused":                     {err: refused, lost: true, repeat: true},
		"no answer to a dial":         {err: silent, lost: true, repeat: true},
		"lost while it committed":     {err: &CommitError{state("08006")}, lost: true},
		"conflict while it committed": {err: &CommitError{state("40001")}, conflict: true, repeat: true},
		"canceled":                    {err: context.Canceled},
		"too late":                    {err: context.DeadlineExceeded},
		"another error":               {err: errors.New("no")},
		"none":                        {},
	} {
		t.Run(name, func(t *testing.T) {
			for what, c := range map[string]struct{ got, want bool }{
				"IsDuplicate": {IsDuplicate(tt.err), tt.duplicate},
				"IsOrphan":    {IsOrphan(tt.err), tt.orphan},
				"isConflict":  {isConflict(tt.err), tt.conflict},
				"IsLost":      {IsLost(tt.err), tt.lost},
				"isRetriable": {isRetriable(tt.err), tt.repeat},
			} {
				if c.got != c.want {
					t.Errorf("%s(%v) = %t, want %t", what, tt.err, c.got, c.want)
				}
			}
		})
	}
}

func TestRetryStopsWhenItMust(t *testing.T) {
	conflict := &pq.Error{Code: "40001"}
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		errs []error
		want error
		runs int
	}{
		"success":           {[]error{nil}, nil, 1},
		"a conflict passes": {[]error{conflict, conflict, nil}, nil, 3},
		"other errors stay": {[]error{conflict, broken, nil}, broken, 2},
		"an end to it":      {[]error{conflict, conflict, conflict, conflict, conflict, conflict, conflict, conflict, nil}, conflict, maxTries},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				runs := 0
				err := Retry(t.Context(), func() error { runs++; return tt.errs[runs-1] })
				if !errors.Is(err, tt.want) || runs != tt.runs {
					t.Errorf("got %v after %d runs, want %v after %d", err, runs, tt.want, tt.runs)
				}
			})
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
			defer cancel()
			runs := 0
			if err := Retry(ctx, func() error { runs++; return conflict }); !errors.Is(err, conflict) || runs != 1 {
				t.Errorf("got %v after %d runs, want the conflict after one", err, runs)
			}
		})
	})
}

// The databases themselves break the rules, rather than errors made by hand.
func TestConstraintsAreRecognised(t *testing.T) {
	for name, url := range testDatabases {
		t.Run(name, func(t *testing.T) {
			db := openDatabase(t, url(t))
			run := func(statement string) error {
				_, err := db.Writer().ExecContext(t.Context(), statement)
				return err
			}
			for _, statement := range []string{
				"CREATE TABLE parent (id bigint PRIMARY KEY)",
				"CREATE TABLE child (parent bigint REFERENCES parent)",
				"INSERT INTO parent VALUES (1)",
			} {
				if err := run(statement); err != nil {
					t.Fatal(err)
				}
			}
			if err := run("INSERT INTO parent VALUES (1)"); !IsDuplicate(err) {
				t.Errorf("a second row with the same id: %v, want a duplicate", err)
			}
			if err := run("INSERT INTO child VALUES (2)"); !IsOrphan(err) {
				t.Errorf("a child of no parent: %v, want an orphan", err)
			}
		})
	}
}

func TestASecondWriterOfTheFileIsAConflict(t *testing.T) {
	url := testDatabases["SQLite"](t)
	first, second := openDatabase(t, url).Writer(), openDatabase(t, url).Writer()
	if _, err := second.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	tx, err := first.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := second.BeginTx(t.Context(), nil); !isConflict(err) {
		t.Errorf("a second writer: %v, want a conflict", err)
	}
}

// Another program has locked the file: the writer says so while it tries again, and
// stores the change when the lock is gone.
func TestALockedFileRefusesChangesUntilItIsUnlocked(t *testing.T) {
	url := testDatabases["SQLite"](t)
	other, db := openDatabase(t, url).Writer(), openDatabase(t, url).(*SQLite)
	if _, err := db.Writer().ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(db, slog.New(slog.DiscardHandler))
	defer w.Close()
	changed := make(chan error, 1)
	go func() {
		changed <- w.Change(t.Context(), func(ctx context.Context, q Querier) error {
			_, err := q.ExecContext(ctx, "CREATE TABLE stored (id bigint)")
			return err
		})
	}()
	for w.Refusal() == nil {
		select {
		case err := <-changed:
			t.Fatalf("the change ended with %v before its refusal was seen", err)
		default:
			runtime.Gosched()
		}
	}
	if got := refusedBecause(w.Refusal()); got != locked {
		t.Errorf("it is refused because %q, want %q", got, locked)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-changed; err != nil || w.Refusal() != nil {
		t.Errorf("the change ended with %v, and is refused because of %v", err, w.Refusal())
	}
}
