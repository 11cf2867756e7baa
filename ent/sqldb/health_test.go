package sqldb

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"portalhooks/delivery"
)

func state(code string) error { return fmt.Errorf("x: %w", &pq.Error{Code: pqerror.Code(code)}) }

// Only classes 22, 23 and 54 are about what was to be stored.
func TestErrorsSayWhoIsAtFault(t *testing.T) {
	for name, tt := range map[string]struct {
		err                  error
		unstorable, refusing bool
	}{
		"a value out of range":     {err: state("22003"), unstorable: true},
		"an invalid byte sequence": {err: state("22021"), unstorable: true},
		"a check constraint":       {err: state("23514"), unstorable: true},
		"a row that is too large":  {err: state("54000"), unstorable: true},
		"a read-only transaction":  {err: state("25006"), refusing: true},
		"a full disk":              {err: state("53100"), refusing: true},
		"no memory":                {err: state("53200"), refusing: true},
		"no connections":           {err: state("53300"), refusing: true},
		"an error of the disk":     {err: state("58030"), refusing: true},
		"an internal error":        {err: state("XX000"), refusing: true},
		"a missing table":          {err: state("42P01")},
		"a canceled statement":     {err: state("57014")},
		"a code that is none":      {err: state("")},
		"another error":            {err: errors.New("no")},
		"none":                     {},
	} {
		if got := IsUnstorable(tt.err); got != tt.unstorable {
			t.Errorf("%s: unstorable is %t, want %t", name, got, tt.unstorable)
		}
		if got := delivery.CodeOf(Unavailable(tt.err)) == delivery.Unavailable; got != tt.refusing {
			t.Errorf("%s: UNAVAILABLE is %t, want %t", name, got, tt.refusing)
		}
	}
}

// A refusal counts until a write of its kind is stored, or none has come for a while.
func TestARefusalCountsForItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Health
		full := state("53100")
		want := func(when string, refused bool) {
			t.Helper()
			if got := h.Refusal(); (got != nil) != refused {
				t.Errorf("%s: refused because of %v, want %t", when, got, refused)
			}
		}
		want("at first", false)
		h.Note("settle", full)
		want("after a refusal", true)
		h.Note("change", nil)
		want("after another kind was stored", true)
		h.Note("settle", state("22003"))
		want("after a result that is at fault", true)
		h.Note("settle", nil)
		want("after its kind was stored", false)
		h.Note("ingest", full)
		time.Sleep(refusalLife + time.Second)
		want("when none has come for a while", false)
	})
}
