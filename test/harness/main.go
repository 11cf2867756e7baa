// Package harness is what the end-to-end tests share: the program as a process or
// in the test itself, a client of its API, receivers that remember what they were
// sent, and a ledger of what was acknowledged.
package harness

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"portalhooks/cli"
	"portalhooks/ent/enttest"
)

// Root leads from the folder of a test package below test/ to the repository's.
const Root = "../.."

// Main runs the tests of a package. The test binary is the program as well: on
// the PATH of what the tests start it is called portalhooks. Afterwards it stops
// the database server that the tests used and looks for goroutines that they
// left.
func Main(m *testing.M) {
	testscript.Main(runner{m}, map[string]func(){"portalhooks": portalhooks})
}

// portalhooks is the program's main.
func portalhooks() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)) //nolint:gocritic // nothing is left to be stopped
}

// A runner runs the tests of a package.
type runner struct{ *testing.M }

// Run implements [testscript.TestingM].
func (r runner) Run() int { return enttest.Main(r.M) }
