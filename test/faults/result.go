// Package faults sizes the tests of faults and collects what they found. Only
// tests import it.
//
// A test of a fault is called TestTorture…. It takes its number of rounds from
// [Rounds], few in `make test` and many in `make torture`, and reports one
// [Result] for each kind of database it ran on. `make torture` prints the
// results as one table.
package faults

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Setting is the environment variable that asks for the long form of the tests
// of faults when it is not empty.
const Setting = "TORTURE"

// Long reports whether the long form is asked for.
func Long() bool { return os.Getenv(Setting) != "" }

// Rounds returns how often, or how much of something, a test of a fault does:
// short in `make test`, long in `make torture`.
func Rounds(short, long int) int {
	if Long() {
		return long
	}
	return short
}

// A Result is what a test of one fault found. The zero values of its numbers
// are results like any others.
type Result struct {
	Fault      string        // what was done to the program, such as "kill -9 before the commit of settle"
	Database   string        // "sqlite", "postgres", or "" where none takes part
	Rounds     int           // how often it was done
	Lost       int           // acknowledged events or deliveries that never arrived
	Duplicated int           // calls beyond the first for one delivery, retries of failures not counted
	Recovery   time.Duration // the longest time until the program worked again, 0 where there is no such time
	Note       string        // a figure of its own, such as "at most 8 in flight"
}

// Report writes r down for the table and returns r, for the test to judge.
func (r Result) Report(t testing.TB) Result {
	t.Helper()
	t.Attr("fault", r.row())
	return r
}

// row is r as the cells of a table. The cells hold no bar and no line's end.
func (r Result) row() string {
	cell := strings.NewReplacer("|", "/", "\n", " ", "\r", " ")
	recovery := ""
	if r.Recovery > 0 {
		recovery = fmt.Sprintf("%.1f s", r.Recovery.Seconds())
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %s | %s |", cell.Replace(r.Fault), cell.Replace(r.Database),
		r.Rounds, r.Lost, r.Duplicated, recovery, cell.Replace(r.Note))
}
