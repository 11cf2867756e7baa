package faults

import (
	"testing"
	"time"
)

// A result is one row of a table, whatever its texts contain.
func TestResultIsOneRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result Result
		want   string
	}{
		"all of it": {
			Result{
				Fault: "kill -9", Database: "sqlite", Rounds: 20, Lost: 1, Duplicated: 2,
				Recovery: 1260 * time.Millisecond, Note: "at most 8 in flight",
			},
			"| kill -9 | sqlite | 20 | 1 | 2 | 1.3 s | at most 8 in flight |",
		},
		"nothing to recover from": {Result{Fault: "clock", Rounds: 1}, "| clock |  | 1 | 0 | 0 |  |  |"},
		"bars and ends of a line": {Result{Fault: "a|b", Note: "c\nd"}, "| a/b |  | 0 | 0 | 0 |  | c d |"},
	} {
		if got := c.result.row(); got != c.want {
			t.Errorf("%s: row = %q, want %q", name, got, c.want)
		}
	}
}
