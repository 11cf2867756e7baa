package enttest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// A lazy cluster is started by the first test that needs it. When that fails
// it fails at once for all others, rather than after another wait for each.
type lazy struct {
	opts Options

	mu      sync.Mutex
	cluster *Cluster
	err     error
}

// The servers that the tests of one process share. They are the package's
// only state: a server for every test would cost each of them a second.
var (
	quick   = &lazy{}
	durable = &lazy{opts: Options{Durable: true}}
)

// Postgres returns the URL of an empty database, which is dropped when t ends.
// Its server forgets what it likes when it crashes, and is quick instead.
// Without a server Postgres fails t and says what to install.
func Postgres(t testing.TB) string {
	t.Helper()
	leaveOut(t)
	return quick.database(t)
}

// PostgresDurable is Postgres on a server that keeps what it has committed, as
// one in production does. Use it where the cost of a commit matters.
func PostgresDurable(t testing.TB) string {
	t.Helper()
	leaveOut(t)
	return durable.database(t)
}

// leaveOut skips a test that needs PostgreSQL when -short asks for SQLite alone.
// `make quick` counts the tests with this reason.
func leaveOut(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out of make quick: it needs PostgreSQL")
	}
}

// Main runs the tests of m, stops the servers that they used, and fails when
// goroutines are left. It returns the code to exit with:
//
//	func TestMain(m *testing.M) { os.Exit(enttest.Main(m)) }
func Main(m *testing.M, leaks ...goleak.Option) int {
	code := Guard(m).Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(leaks...); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left by the tests:", err)
		return 1
	}
	return 0
}

// A Runner runs tests, as a [testing.M] does.
type Runner interface {
	// Run runs the tests and returns the code to exit with.
	Run() int
}

// Guard returns a Runner that runs m and then stops the servers that the tests
// used. It is for a TestMain that belongs to another package already, such as
// testscript's.
func Guard(m Runner) Runner { return guard{m} }

type guard struct{ tests Runner }

// Run implements [Runner].
func (g guard) Run() int {
	code := g.tests.Run()
	for _, l := range []*lazy{quick, durable} {
		if err := l.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the PostgreSQL of the tests:", err)
			code = max(code, 1)
		}
	}
	return code
}

func (l *lazy) database(t testing.TB) string {
	t.Helper()
	if given := os.Getenv("TEST_POSTGRES_URL"); given != "" {
		return database(t, given, func() bool { return true })
	}
	c, err := l.start(t)
	if err != nil {
		t.Fatalf("start a PostgreSQL for the tests: %v", err)
	}
	return database(t, c.admin(), func() bool { return true })
}

func (l *lazy) start(t testing.TB) (*Cluster, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster == nil && l.err == nil {
		l.cluster, l.err = newCluster(t.Context(), l.opts)
	}
	return l.cluster, l.err
}

// stop stops the server, if there is one; the next test would start another.
func (l *lazy) stop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster == nil {
		return nil
	}
	err := l.cluster.remove()
	l.cluster = nil
	return err
}
