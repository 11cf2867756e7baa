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

// The display names of the kinds of databases.
const (
	sqliteKind   = "SQLite"
	postgresKind = "PostgreSQL"
)

// A databaseServer creates the databases of the measurements: on a PostgreSQL server,
// or as SQLite files in a directory.
type databaseServer struct {
	kind    string
	version string
	dir     string   // SQLite: directory of the files
	url     *url.URL // PostgreSQL
	admin   *sql.DB  // PostgreSQL: connection to the named database, which is not changed
	created int
}

// openDatabaseServer opens the server of a PostgreSQL URL, or the directory dir for a
// SQLite URL or an empty one.
func openDatabaseServer(ctx context.Context, text, dir string) (*databaseServer, error) {
	scheme, _, _ := strings.Cut(text, ":")
	switch strings.ToLower(scheme) {
	case "", "sqlite", "sqlite3", "file":
		return openSQLite(ctx, dir)
	case "postgres", "postgresql":
		return openPostgres(ctx, text)
	}
	return nil, errors.New("--database must be sqlite:PATH, whose directory is used, " +
		"or postgres://USER:PASSWORD@HOST/NAME")
}

// directoryOf returns the directory for the files of a run; "" for the system's
// directory of temporary files.
func directoryOf(text string) string {
	scheme, rest, _ := strings.Cut(text, ":")
	if rest == "" || !strings.HasPrefix(strings.ToLower(scheme), "sqlite") {
		return ""
	}
	return filepath.Dir(strings.TrimPrefix(rest, "//"))
}

func openSQLite(ctx context.Context, dir string) (*databaseServer, error) {
	s := &databaseServer{kind: sqliteKind, dir: dir}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	err = db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&s.version)
	return s, errors.Join(err, db.Close())
}

func openPostgres(ctx context.Context, text string) (*databaseServer, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("--database is not a valid URL such as postgres://USER:PASSWORD@HOST/NAME")
	}
	s := &databaseServer{kind: postgresKind, url: u}
	if s.admin, err = sql.Open("postgres", text); err != nil {
		return nil, err
	}
	s.admin.SetMaxOpenConns(1)
	if err := s.admin.QueryRowContext(ctx, "SHOW server_version").Scan(&s.version); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to PostgreSQL: %w", err), s.admin.Close())
	}
	s.version, _, _ = strings.Cut(s.version, " ")
	return s, nil
}

// postmaster returns the process id of the PostgreSQL server if it runs on this
// machine, else 0.
func (s *databaseServer) postmaster(ctx context.Context, h *procfs) int {
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

func (s *databaseServer) close() error {
	if s.admin == nil {
		return nil
	}
	return s.admin.Close()
}

// A database is the database of one measurement.
type database struct {
	server *databaseServer
	name   string
	url    string  // setting of the program
	db     *sql.DB // one connection
}

// create creates an empty database.
func (s *databaseServer) create(ctx context.Context) (*database, error) {
	s.created++
	d := &database{server: s, name: fmt.Sprintf("portalhooks_bench_%d_%d", os.Getpid(), s.created)}
	driver, source := "sqlite", ""
	if s.kind == sqliteKind {
		path := filepath.Join(s.dir, d.name+".db")
		d.url = "sqlite:" + path
		source = "file:" + (&url.URL{Path: path}).EscapedPath() +
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	} else {
		if _, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+d.name); err != nil {
			return nil, fmt.Errorf("create a database, which requires the attribute CREATEDB: %w", err)
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

// drop removes the database, even if ctx has ended.
func (d *database) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
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
		if failed := os.Remove(path + suffix); !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, failed)
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

// stored returns the size of the events and the log with their indexes, in bytes. For
// SQLite it is the size of all tables, without free pages.
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

// connections returns the number of connections of other processes to the database.
func (d *database) connections(ctx context.Context) (n int, err error) {
	if d.server.kind == sqliteKind {
		return 0, nil
	}
	err = d.db.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND backend_type = 'client backend'`).Scan(&n)
	return n, err
}

// multiply copies the rows of the queue, with their due times, until there are n.
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
		return nil // a server does not analyze its database either
	}
	_, err = d.db.ExecContext(ctx, "ANALYZE queue")
	return err
}
