package enttest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = time.Minute // initdb and start, on a busy machine
	stopTimeout  = 30 * time.Second
	startTries   = 3 // another process may take the port that was found free
)

// A Mode says how a Cluster stops.
type Mode syscall.Signal

// The ways to stop, in the words of pg_ctl.
const (
	Fast      Mode = Mode(syscall.SIGINT)  // ends the connections and writes everything down
	Immediate Mode = Mode(syscall.SIGQUIT) // as a crash would: nothing is written, the next start recovers
)

// Options tune a Cluster. The zero value is ready for use.
type Options struct {
	Durable  bool              // fsync and full page writes, as in production; off by default
	Settings map[string]string // of postgresql.conf, over those the package chooses
}

// A Cluster is a private PostgreSQL server. Its methods are for one goroutine
// at a time; connections to it are for any.
type Cluster struct {
	binaries string
	dir      string
	who      account
	password string
	port     int
	opts     Options
	server   *process // nil while stopped
}

// New starts a server for t alone and stops it when t ends. It fails t, saying
// what to install, when there is no server to start.
func New(t testing.TB, opts Options) *Cluster {
	t.Helper()
	leaveOut(t)
	c, err := newCluster(t.Context(), opts)
	if err != nil {
		t.Fatalf("start a PostgreSQL for this test: %v", err)
	}
	t.Cleanup(func() {
		if err := c.remove(); err != nil {
			t.Errorf("remove the PostgreSQL of this test: %v", err)
		}
	})
	return c
}

func newCluster(ctx context.Context, opts Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	c := &Cluster{opts: opts, password: rand.Text()}
	var err error
	if c.binaries, err = findBinaries(ctx, os.Getenv("PATH"), installFolders()); err != nil {
		return nil, err
	}
	if c.who, err = serverAccount(); err != nil {
		return nil, err
	}
	if c.dir, err = makeFolder(c.who, "postgres"); err == nil {
		err = c.initialize(ctx)
	}
	for range startTries {
		if err != nil {
			break
		}
		if c.port, err = freePort(ctx); err != nil {
			break
		}
		if err = c.start(ctx); !errors.Is(err, errExited) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// Start starts a stopped server on the port it had, and returns when it
// answers. It does nothing while the server runs.
func (c *Cluster) Start(ctx context.Context) error {
	if c.server != nil && !c.server.exited() {
		return nil
	}
	if err := c.stop(syscall.SIGQUIT); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := c.start(ctx)
		if !errors.Is(err, errExited) || !strings.Contains(err.Error(), "is still in use") {
			return err
		}
		// The processes of a server that was killed take a moment to notice.
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop stops the server and returns when it has ended. It does nothing while
// the server is stopped.
func (c *Cluster) Stop(mode Mode) error {
	return c.stop(syscall.Signal(mode))
}

// StandBy makes the stopped server start as a replica: it takes no changes until it
// is promoted by pg_promote.
func (c *Cluster) StandBy() error {
	signal := filepath.Join(c.data(), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return err
	}
	if c.who.switched {
		return os.Chown(signal, c.who.uid, c.who.gid)
	}
	return nil
}

// Pid returns the process id of the server, or 0 while it is stopped.
func (c *Cluster) Pid() int {
	if c.server == nil || c.server.exited() {
		return 0
	}
	return c.server.pid
}

// Database makes an empty database, drops it when t ends, and returns its URL.
// The URL stays good while the server is stopped and started.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	return database(t, c.admin(), func() bool { return c.Pid() != 0 })
}

// admin returns the URL of the database that the server comes with.
func (c *Cluster) admin() string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) log() string { return filepath.Join(c.dir, "log") }

// arguments returns the command line of the server.
func (c *Cluster) arguments() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(c.port),
		"unix_socket_directories": "",
		"max_connections":         "200",
		"shared_buffers":          "64MB",
		"jit":                     "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if !c.opts.Durable {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, c.opts.Settings)
	argv := []string{filepath.Join(c.binaries, "postgres"), "-D", c.data()}
	for name, value := range settings {
		argv = append(argv, "-c", name+"="+value)
	}
	return argv
}

// errExited is the error of a server that ended while it should have started.
var errExited = errors.New("the server ended at once")

func (c *Cluster) start(ctx context.Context) error {
	log, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if c.server, err = launch(c.who, c.dir, c.arguments(), log); err != nil {
		return err
	}
	if err := c.answer(ctx); err != nil {
		return errors.Join(err, c.stop(syscall.SIGQUIT))
	}
	return nil
}

// answer waits until the server answers.
func (c *Cluster) answer(ctx context.Context) error {
	db, err := sql.Open("postgres", c.admin())
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		if c.server.exited() {
			return fmt.Errorf("%w:\n%s", errExited, c.lastWords())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w:\n%s", errors.Join(ctx.Err(), err), c.lastWords())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// lastWords returns the end of the server's log.
func (c *Cluster) lastWords() string {
	text, err := os.ReadFile(c.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

func (c *Cluster) stop(s syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	err := c.server.end(s, stopTimeout)
	c.server = nil
	return err
}

// remove stops the server and removes its folder.
func (c *Cluster) remove() error {
	err := c.stop(syscall.SIGQUIT)
	if c.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}
