package enttest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// errNoPooler says what to do, as errNoServer does.
var errNoPooler = errors.New("no PgBouncer is installed: run `make setup`, " +
	"or install it (Debian: apt-get install pgbouncer; macOS: brew install pgbouncer)")

// A Pooler is a PgBouncer that pools by transaction, as in production.
type Pooler struct {
	dir    string
	who    account
	port   int
	server *process
}

// NewPooler starts a PgBouncer in front of the server that database, a URL, is
// on, with more settings of pgbouncer.ini, and stops it when t ends. It fails
// t, saying what to install, when there is none.
func NewPooler(t testing.TB, database string, settings map[string]string) *Pooler {
	t.Helper()
	p := &Pooler{}
	t.Cleanup(func() {
		if err := p.remove(); err != nil {
			t.Errorf("remove the PgBouncer of this test: %v", err)
		}
	})
	if err := p.start(t.Context(), database, settings); err != nil {
		t.Fatalf("start a PgBouncer for this test: %v", err)
	}
	return p
}

// Through returns the URL of a database of the server by way of the pooler.
func (p *Pooler) Through(t testing.TB, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the database is not named by a URL")
	}
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))
	return u.String()
}

func (p *Pooler) start(ctx context.Context, database string, settings map[string]string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	program, err := findPooler()
	if err != nil {
		return err
	}
	// PgBouncer refuses to run as root, like PostgreSQL.
	if p.who, err = serverAccount(); err != nil {
		return err
	}
	if p.dir, err = makeFolder(p.who, "pgbouncer"); err != nil {
		return err
	}
	for range startTries {
		if p.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = p.launch(ctx, program, database, settings); !errors.Is(err, errExited) {
			return err
		}
	}
	return err
}

// findPooler looks where packages put the program: Debian chose a folder that
// is in the PATH of root only.
func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/opt/homebrew/bin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", errNoPooler
}

func (p *Pooler) launch(ctx context.Context, program, database string, settings map[string]string) error {
	server, err := url.Parse(database)
	if err != nil {
		return errors.New("the database is not named by a URL")
	}
	if err := p.configure(server, settings); err != nil {
		return err
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	argv := []string{program, filepath.Join(p.dir, "pgbouncer.ini")}
	if p.server, err = launch(p.who, p.dir, argv, log); err != nil {
		return err
	}
	through := *server
	through.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))
	return p.answer(ctx, through.String())
}

// configure writes the files of PgBouncer. Clients sign in with the password of
// the server.
func (p *Pooler) configure(server *url.URL, settings map[string]string) error {
	password, _ := server.User.Password()
	users := fmt.Sprintf("%q %q\n", server.User.Username(), password)
	all := map[string]string{
		"listen_addr":       "127.0.0.1",
		"listen_port":       strconv.Itoa(p.port),
		"unix_socket_dir":   "",
		"pool_mode":         "transaction",
		"auth_type":         "plain",
		"auth_file":         filepath.Join(p.dir, "users"),
		"max_client_conn":   "500",
		"default_pool_size": "4",
	}
	maps.Copy(all, settings)
	var ini strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%s\n[pgbouncer]\n", server.Hostname(), server.Port())
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&ini, "%s = %s\n", name, all[name])
	}
	for name, text := range map[string]string{"users": users, "pgbouncer.ini": ini.String()} {
		path := filepath.Join(p.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		if p.who.switched {
			if err := os.Chown(path, p.who.uid, p.who.gid); err != nil {
				return err
			}
		}
	}
	return nil
}

// answer waits until a database can be reached.
func (p *Pooler) answer(ctx context.Context, database string) error {
	db, err := sql.Open("postgres", database)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		text, _ := os.ReadFile(p.log())
		if p.server.exited() {
			return fmt.Errorf("%w:\n%s", errExited, text)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for PgBouncer: %w:\n%s", errors.Join(ctx.Err(), err), text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *Pooler) log() string { return filepath.Join(p.dir, "log") }

// remove stops the pooler and removes its folder.
func (p *Pooler) remove() error {
	var err error
	if p.server != nil {
		err = p.server.end(syscall.SIGTERM, stopTimeout)
	}
	if p.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}
