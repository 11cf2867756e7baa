package ent

import (
	"context"
	"errors"
	"log/slog"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/migrate"
	"portalhooks/ent/queue"
	"portalhooks/ent/sqldb"
)

// Options say which database a Store opens.
type Options = sqldb.Options

// A Store keeps everything in one database. It implements delivery.Store and
// may be used by many goroutines at once.
type Store struct {
	*queue.Queue // the deliveries, events, log, counts and members

	db     sqldb.Database
	logger *slog.Logger
	client *gen.Client // over the pool that writes
	reader *gen.Client // over the pool that reads
}

// Open opens the database and checks that it answers. It does not change its
// tables: see Migrate. A SQLite file that does not exist is made, with its
// folder, unless the options say otherwise.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	db, err := sqldb.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Store{
		Queue:  queue.New(db, auditIn(db), o.Logger),
		db:     db,
		logger: o.Logger,
		client: gen.NewClient(gen.Driver(entsql.OpenDB(db.Dialect(), db.Writer()))),
		reader: gen.NewClient(gen.Driver(entsql.OpenDB(db.Dialect(), db.Reader()))),
	}, nil
}

// File returns the path of a SQLite database, "" for others.
func (s *Store) File() string {
	if db, ok := s.db.(*sqldb.SQLite); ok {
		return db.Path
	}
	return ""
}

// auditIn adds entries to the audit log within a transaction of the queue.
func auditIn(db sqldb.Database) queue.Recorder {
	return func(ctx context.Context, q sqldb.Querier, entries ...delivery.AuditEntry) error {
		driver := entsql.NewDriver(db.Dialect(), entsql.Conn{ExecQuerier: q})
		return record(ctx, gen.NewClient(gen.Driver(driver)).AuditEntry, entries...)
	}
}

// Migrate brings the tables up to date and returns what it applied. Any number
// of servers may do so at once: each migration is applied by one of them.
func (s *Store) Migrate(ctx context.Context) ([]migrate.Migration, error) {
	return migrate.Up(ctx, s.db, s.logger)
}

// MigrationStatus lists every migration, oldest first.
func (s *Store) MigrationStatus(ctx context.Context) ([]migrate.Migration, error) {
	return migrate.Status(ctx, s.db, s.logger)
}

// Close ends what runs in the background and closes the connections. The Store
// can't be used afterwards.
func (s *Store) Close() error { return errors.Join(s.Queue.Close(), s.db.Close()) }
