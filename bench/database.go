package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/lib/pq"  // registers the driver "postgres"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// The kinds of databases, by their names for people.
const (
	sqliteKind   = "SQLite"
	postgresKind = "PostgreSQL"
)

// A server makes databases for measurements: on a PostgreSQL server, or as
// SQLite files in a folder.
type server struct {
	kind    string
	version string
	dir     string   // SQLite: where the files are
	url     *url.URL // PostgreSQL
	admin   *sql.DB  // PostgreSQL: on the database that was named, which is not changed
	made    int
}

// openServer finds out where databases can be made. The URL may be empty, name
// a PostgreSQL database, or a SQLite file whose folder is to be used.
func openServer(ctx context.Context, text, dir string) (*server, error) {
	scheme, _, _ := strings.Cut(text, ":")
	switch strings.ToLower(scheme) {
	case "", "sqlite", "sqlite3", "file":
		return openSQLite(ctx, dir)
	case "postgres", "postgresql":
		return openPostgres(ctx, text)
	}
	return nil, errors.New("--database is sqlite:PATH, whose folder is used, " +
		"or postgres://USER:PASSWORD@HOST/NAME")
}

// folderOf returns the folder in which the files of a run are made; "" for the
// system's own.
func folderOf(text string) string {
	scheme, rest, _ := strings.Cut(text, ":")
	if rest == "" || !strings.HasPrefix(strings.ToLower(scheme), "sqlite") {
		return ""
	}
	return filepath.Dir(strings.TrimPrefix(rest, "//"))
}

func openSQLite(ctx context.Context, dir string) (*server, error) {
	s := &server{kind: sqliteKind, dir: dir}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	err = db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&s.version)
	return s, errors.Join(err, db.Close())
}

func openPostgres(ctx context.Context, text string) (*server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("--database can't be read as a URL such as postgres://USER:PASSWORD@HOST/NAME")
	}
	s := &server{kind: postgresKind, url: u}
	if s.admin, err = sql.Open("postgres", text); err != nil {
		return nil, err
	}
	s.admin.SetMaxOpenConns(1)
	if err := s.admin.QueryRowContext(ctx, "SHOW server_version").Scan(&s.version); err != nil {
		return nil, errors.Join(fmt.Errorf("reach PostgreSQL: %w", err), s.admin.Close())
	}
	s.version, _, _ = strings.Cut(s.version, " ")
	return s, nil
}

// postmaster returns the number of the PostgreSQL server's first process when
// it runs on this machine; 0 otherwise.
func (s *server) postmaster(ctx context.Context, h *host) int {
	if s.kind != postgresKind {
		return 0
	}
	var pid int
	if err := s.admin.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return 0
	}
	name, err := os.ReadFile(filepath.Join(h.root, strconv.Itoa(pid), "cmdline"))
	if err != nil || !strings.Contains(string(name), "postgres") {
		return 0
	}
	backend, _ := h.stat(pid)
	return backend.parent
}

func (s *server) close() error {
	if s.admin == nil {
		return nil
	}
	return s.admin.Close()
}

// A database is one that a measurement has for itself.
type database struct {
	server *server
	name   string
	url    string  // for the program
	db     *sql.DB // one connection of the measurement's own
}

// create makes an empty database.
func (s *server) create(ctx context.Context) (*database, error) {
	s.made++
	d := &database{server: s, name: fmt.Sprintf("portalhooks_bench_%d_%d", os.Getpid(), s.made)}
	driver, source := "sqlite", ""
	if s.kind == sqliteKind {
		path := filepath.Join(s.dir, d.name+".db")
		d.url = "sqlite:" + path
		source = "file:" + (&url.URL{Path: path}).EscapedPath() +
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	} else {
		if _, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+d.name); err != nil {
			return nil, fmt.Errorf("make a database for the measurement, which needs the right CREATEDB: %w", err)
		}
		u := *s.url
		u.Path = "/" + d.name
		d.url, driver, source = u.String(), "postgres", u.String()
	}
	var err error
	if d.db, err = sql.Open(driver, source); err == nil {
		d.db.SetMaxOpenConns(1)
		err = d.db.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.drop(ctx))
	}
	return d, nil
}

// drop removes the database, also when ctx has ended.
func (d *database) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTime)
	defer cancel()
	var err error
	if d.db != nil {
		err = d.db.Close()
	}
	if d.server.kind == postgresKind {
		_, dropped := d.server.admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+d.name+" WITH (FORCE)")
		return errors.Join(err, dropped)
	}
	path := filepath.Join(d.server.dir, d.name+".db")
	for _, suffix := range []string{"", "-wal", "-shm", "-lock"} {
		if gone := os.Remove(path + suffix); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// pick returns the statement for the database's kind.
func (d *database) pick(sqlite, postgres string) string {
	if d.server.kind == sqliteKind {
		return sqlite
	}
	return postgres
}

// stored returns how many bytes the events and the log take, with their
// indexes. SQLite tells only what all tables take together; pages that were
// given back do not count.
func (d *database) stored(ctx context.Context) (bytes float64, err error) {
	if d.server.kind == sqliteKind {
		if _, err := d.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			return 0, err
		}
	}
	err = d.db.QueryRowContext(ctx, d.pick(
		`SELECT (c.page_count - f.freelist_count) * s.page_size
			FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s`,
		`SELECT COALESCE(sum(pg_total_relation_size(oid)), 0) FROM pg_class
			WHERE relkind = 'r' AND relname ~ '^(event|log)(_|$)'`)).Scan(&bytes)
	return bytes, err
}

// connections returns how many connections others have to the database.
func (d *database) connections(ctx context.Context) (n int, err error) {
	if d.server.kind == sqliteKind {
		return 0, nil
	}
	err = d.db.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND backend_type = 'client backend'`).Scan(&n)
	return n, err
}

// multiply copies the rows of the queue until there are n, all as due as those
// that they are copies of.
func (d *database) multiply(ctx context.Context, n int) error {
	const columns = "org, webhook, version, event, item, due_at, type, trigger, attempts, held, cancel"
	var have int
	if err := d.db.QueryRowContext(ctx, "SELECT count(*) FROM queue").Scan(&have); err != nil {
		return err
	}
	if have == 0 || have >= n {
		return nil
	}
	_, err := d.db.ExecContext(ctx, fmt.Sprintf(
		`INSERT INTO queue (id, %[1]s)
		WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < %[2]d)
		SELECT (SELECT max(id) FROM queue) + row_number() OVER (), %[1]s FROM copy CROSS JOIN queue LIMIT %[3]d`,
		columns, (n-1)/have, n-have))
	if err != nil {
		return fmt.Errorf("fill the queue: %w", err)
	}
	if d.server.kind == sqliteKind {
		return nil // nobody analyzes a server's
	}
	_, err = d.db.ExecContext(ctx, "ANALYZE queue")
	return err
}
