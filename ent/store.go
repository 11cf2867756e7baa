package ent

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	entsql "entgo.io/ent/dialect/sql"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"portalhooks/ent/gen"
)

// Options say where a Store keeps its data.
type Options struct {
	URL    string       // sqlite:path/to/file.db, or postgres://…
	Logger *slog.Logger // slog.Default() if nil
	// Direct is the URL of the same PostgreSQL without a transaction pooler in
	// between, for the one connection that listens and holds a lock. Needed only
	// when URL leads through such a pooler.
	Direct string
	// Connections is how many connections to PostgreSQL the store may open for
	// its statements, 2 or more; 5 if zero. It opens one more to listen. SQLite has one that writes, and as
	// many that read.
	Connections int
	// Driver is the database/sql driver to open the database with; the one that
	// goes with the URL if empty. With one that wraps it, every statement can be
	// watched.
	Driver string
}

func (o Options) withDefaults() Options {
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.Connections = max(2, cmp.Or(o.Connections, 5))
	return o
}

// A Store keeps everything in one database. It implements delivery.Store and
// may be used by many goroutines at once.
type Store struct {
	*hot // the queue, events, log and membership

	dialect dialect
	logger  *slog.Logger
	pooled  bool        // a transaction pooler is in between
	wire    *wire       // dials PostgreSQL
	write   *sql.DB     // SQLite: one connection, whose transactions begin as writers
	read    *sql.DB     // SQLite: a pool that can only read; PostgreSQL: the same as write
	client  *gen.Client // over write
	reader  *gen.Client // over read
}

// Open opens the database and checks that it answers. It does not change its
// tables: see Migrate. A SQLite file that does not exist is made, with its
// folder.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	src, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	src.driver = cmp.Or(o.Driver, src.driver)
	if src.dialect == sqliteDialect {
		if err := src.makeFile(); err != nil {
			return nil, err
		}
	}
	s := &Store{dialect: src.dialect, logger: o.Logger, wire: newWire()}
	if err := s.connect(ctx, src, o.Connections); err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s database: %w", src.dialect, explain(err)), s.Close())
	}
	s.client = gen.NewClient(gen.Driver(entsql.OpenDB(string(src.dialect), s.write)))
	s.reader = gen.NewClient(gen.Driver(entsql.OpenDB(string(src.dialect), s.read)))
	direct := ""
	if src.dialect == postgresDialect {
		if direct, err = s.reach(ctx, src, o.Direct); err != nil {
			return nil, errors.Join(fmt.Errorf("open the %s database: %w", src.dialect, explain(err)), s.Close())
		}
	}
	s.hot = newHot(s.write, s.read, src, direct, o.Logger)
	if src.dialect == postgresDialect && !s.pooled {
		s.prepared = s.prepare(ctx, src, o.Connections)
	}
	return s, nil
}

// connect opens the pools. Connections are kept open: each costs PostgreSQL a
// process, and SQLite its page cache.
func (s *Store) connect(ctx context.Context, src source, connections int) error {
	open := func(open func(driver, name string) (*sql.DB, error), name string, n int) (*sql.DB, error) {
		db, err := open(src.driver, name)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		ping := func() error { return db.PingContext(ctx) }
		if src.dialect == postgresDialect {
			return db, ping()
		}
		return db, retry(ctx, ping)
	}
	var err error
	if src.dialect == postgresDialect {
		s.write, err = open(s.open, src.write, connections)
		s.read = s.write
		return err
	}
	// The writer comes first: it is the one that may turn the file to WAL. Of
	// several that do so at the same moment SQLite lets all but one fail.
	if s.write, err = open(openSessions, src.write, 1); err != nil {
		return err
	}
	s.read, err = open(s.open, src.read, connections)
	return err
}

// prepare gives most of the connections to statements that are prepared, if
// there are enough and none of them is a transaction pooler's. A pooler that
// lends whole sessions may refuse the setting: then nothing is prepared.
func (s *Store) prepare(ctx context.Context, src source, connections int) *prepared {
	rest := max(2, connections-preparedConnections)
	if connections <= rest {
		return nil
	}
	db, err := s.open(src.driver, src.prepare)
	if err != nil {
		return nil
	}
	db.SetMaxOpenConns(connections - rest)
	db.SetMaxIdleConns(connections - rest)
	if err := db.PingContext(ctx); err != nil {
		s.logger.InfoContext(ctx, "the statements of the hot path are not prepared: "+
			"the connection does not take the setting plan_cache_mode", "error", explain(err))
		_ = db.Close() // it was never used
		return nil
	}
	s.write.SetMaxOpenConns(rest)
	s.write.SetMaxIdleConns(rest)
	return &prepared{db: db, made: make(map[string]*madeStatement)}
}

// Close ends what runs in the background and closes the connections. The Store
// can't be used afterwards.
func (s *Store) Close() error {
	var errs []error
	if s.hot != nil {
		errs = append(errs, s.close())
	}
	if s.hot != nil && s.prepared != nil {
		s.prepared.close()
	}
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	return errors.Join(errs...)
}
