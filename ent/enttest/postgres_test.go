package enttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// playEnv makes the test binary play a part in a test of its own end.
const playEnv = "ENTTEST_PLAY"

func TestMain(m *testing.M) {
	if os.Getenv(playEnv) == "leak" {
		go func() { select {} }()
	}
	os.Exit(Main(m))
}

func TestEachCallGivesAnEmptyDatabase(t *testing.T) {
	first, second := Postgres(t), Postgres(t)
	if first == second {
		t.Fatal("two calls gave the same database")
	}
	run(t, connect(t, first), "CREATE TABLE mine (n int)")
	if got := count(t, connect(t, second), "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"); got != 0 {
		t.Error("a table of one database is seen in another")
	}
	if a, b := host(t, first), host(t, second); a != b {
		t.Errorf("servers %s and %s, want one for all tests", a, b)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	var name string
	t.Run("owner", func(t *testing.T) {
		given := Postgres(t)
		u, err := url.Parse(given)
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(u.Path, "/")
		run(t, connect(t, given), "CREATE TABLE mine (n int)")
	})
	other := connect(t, Postgres(t))
	if got := count(t, other, "SELECT count(*) FROM pg_database WHERE datname = $1", name); got != 0 {
		t.Errorf("database %s outlived its test", name)
	}
}

func TestGivenServerIsUsed(t *testing.T) {
	given := New(t, Options{})
	t.Setenv("TEST_POSTGRES_URL", given.admin())
	if got, want := host(t, Postgres(t)), host(t, given.admin()); got != want {
		t.Errorf("database on %s, want it on the server given, %s", got, want)
	}
}

func TestPasswordIsNeeded(t *testing.T) {
	u, err := url.Parse(Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("postgres", "guess")
	if err := connect(t, u.String()).PingContext(t.Context()); err == nil {
		t.Error("the server accepts a client without the password")
	}
}

// The part of the test process that is killed: it starts a server, tells where
// it is, and waits for its end.
func TestPlayVictim(t *testing.T) {
	if os.Getenv(playEnv) != "victim" {
		return
	}
	c := New(t, Options{})
	fmt.Println(c.dir)
	fmt.Println(c.admin())
	select {}
}

func TestServerDiesWithTheTestProcess(t *testing.T) {
	leaveOut(t) // the server is started by the victim, which does not know of -short
	victim := play(t, "victim", "^TestPlayVictim$")
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	dir := lines.Text()
	lines.Scan()
	db := connect(t, lines.Text())
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatalf("the victim's server does not answer: %v", err)
	}

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := db.ExecContext(ctx, "SELECT pg_sleep(3600)"); err == nil || ctx.Err() != nil {
		t.Errorf("query on an orphaned server: %v, want it cut off", err)
	}
	await(ctx, t, "the folder to be removed", func() bool {
		_, err := os.Stat(filepath.Join(dir, "data"))
		return errors.Is(err, fs.ErrNotExist)
	})
	if err := victim.Wait(); err == nil {
		t.Error("the victim ended well, want it killed")
	}
}

func TestLeakedGoroutineFailsTheTests(t *testing.T) {
	out, err := play(t, "leak", "^TestPlayVictim$").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "goroutines left") {
		t.Errorf("tests that leave a goroutine: %v\n%s", err, out)
	}
}

type runner int

func (r runner) Run() int { return int(r) }

func TestGuardStopsTheServersAndKeepsTheCode(t *testing.T) {
	t.Setenv("TEST_POSTGRES_URL", "")
	var before string
	t.Run("user of a server", func(t *testing.T) { before = PostgresDurable(t) })
	for _, want := range []int{0, 1, 2} {
		if got := Guard(runner(want)).Run(); got != want {
			t.Errorf("code %d, want %d", got, want)
		}
	}
	if err := connect(t, before).PingContext(t.Context()); err == nil {
		t.Error("the server outlived the tests")
	}
	if err := connect(t, PostgresDurable(t)).PingContext(t.Context()); err != nil {
		t.Errorf("a test that comes later: %v", err)
	}
}

// play returns a command that runs the tests that match again, in a process of
// its own, with a part to play.
func play(t *testing.T, part, match string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", match)
	cmd.Env = append(os.Environ(), playEnv+"="+part)
	return cmd
}

// await returns when done does, and fails t when ctx ends before.
func await(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("still waiting for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func host(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
