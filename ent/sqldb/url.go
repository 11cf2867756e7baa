package sqldb

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	entdialect "entgo.io/ent/dialect"
	"github.com/lib/pq"
)

// A source is a database that a URL names, ready for sql.Open.
type source struct {
	kind    string // the name of its driver and of its dialect in ent
	driver  string
	write   string // data source name of the pool that writes
	read    string // SQLite: of the pool that only reads
	prepare string // PostgreSQL: of the pool that prepares its statements
	path    string // of SQLite's file
	// twoTrips is set when statements are prepared first, which a transaction
	// pooler does not support.
	twoTrips bool
}

const (
	sqliteName   = entdialect.SQLite
	postgresName = entdialect.Postgres
)

// How a database is named; the errors below show these.
const (
	sqliteExample   = "sqlite:data/portalhooks.db"
	postgresExample = "postgres://user:password@host:5432/database" //nolint:gosec // an example
)

// parseURL reads the URL of a database. Its errors never repeat the URL, which
// may hold a password.
func parseURL(text string) (source, error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case text == "":
		return source{}, fmt.Errorf("no database is given: use %s or %s", sqliteExample, postgresExample)
	case !found:
		return source{}, fmt.Errorf("the database must be a URL such as %s or %s", sqliteExample, postgresExample)
	}
	switch strings.ToLower(scheme) {
	case "sqlite", "sqlite3", "file":
		return parseSQLite(rest)
	case "postgres", "postgresql":
		return parsePostgres("postgres:" + rest)
	}
	return source{}, fmt.Errorf("the scheme of the database URL is not known: "+
		"it must be sqlite or postgres, as in %s or %s", sqliteExample, postgresExample)
}

// sqlitePragmas are the pragmas of every SQLite connection. A commit reaches the
// disk before it is acknowledged (FULL), and a writer waits up to five seconds
// for another process.
const sqlitePragmas = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)" +
	"&_pragma=synchronous(FULL)&_inttotime=1&_time_integer_format=unix_micro"

func parseSQLite(rest string) (source, error) {
	path := strings.TrimPrefix(rest, "//")
	switch {
	case path == "" || strings.HasSuffix(path, "/"):
		return source{}, fmt.Errorf("the database URL names no file: write %s", sqliteExample)
	case strings.Contains(path, ":memory:"):
		return source{}, fmt.Errorf("a database in memory would lose what was acknowledged: "+
			"name a file, as in %s", sqliteExample)
	case strings.ContainsAny(path, "?#\x00"):
		return source{}, fmt.Errorf("the database URL takes no settings: "+
			"write only the file, as in %s", sqliteExample)
	}
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + sqlitePragmas
	return source{
		kind:   sqliteName,
		driver: "sqlite",
		write:  name + "&_txlock=immediate" + writerPragmas(),
		read:   name + "&_query_only=1",
		path:   path,
	}, nil
}

func parsePostgres(text string) (source, error) {
	u, err := url.Parse(text)
	if err != nil {
		return source{}, fmt.Errorf("the database URL can't be read; characters such as @, / and %% "+
			"in the password are written as %%40, %%2F and %%25: %s", postgresExample)
	}
	if u.Opaque != "" || strings.Trim(u.Path, "/") == "" {
		return source{}, fmt.Errorf("the database URL names no database: write %s", postgresExample)
	}
	settings := u.Query()
	for name, value := range map[string]string{
		"application_name": "portalhooks",
		"connect_timeout":  "10",
		// One round trip for each statement, and no state on the connection that a
		// transaction pooler could assign to another client.
		"binary_parameters": "yes",
	} {
		if !settings.Has(name) {
			settings.Set(name, value)
		}
	}
	u.RawQuery = settings.Encode()
	name := u.String()
	if _, err := pq.NewConfig(name); err != nil {
		return source{}, fmt.Errorf("the database URL has a setting that can't be used: %w", err)
	}
	settings.Set("plan_cache_mode", "force_generic_plan")
	u.RawQuery = settings.Encode()
	return source{
		kind: postgresName, driver: "postgres", write: name, prepare: u.String(),
		twoTrips: settings.Get("binary_parameters") != "yes",
	}, nil
}

// findFile makes the file if there is none, or refuses to.
func (s source) findFile(existing bool) error {
	if !existing {
		return s.makeFile()
	}
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database %s: name the server's with --database, or make one with "+
			"\"portalhooks migrate up\"", s.path)
	}
	return nil
}

// makeFile makes the folder and the file, for their owner only: the file holds
// sealed secrets and the data of events.
func (s source) makeFile() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("make the folder of the database: %w", err)
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("make the file of the database: %w", err)
	}
	return f.Close()
}
