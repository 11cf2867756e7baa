package migrate

import (
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"portalhooks/ent/sqldb"
)

func postgresTarget(db *sqldb.Postgres) target {
	exclusion := sessionLock
	if db.Pooled {
		exclusion = tableLock
	}
	return target{
		folder:    "postgres",
		dialect:   goose.DialectPostgres,
		exclusion: exclusion,
		runs:      1,
		patiently: db.WithoutDeadline,
	}
}

// sessionLock makes servers that start together wait at a lock of the session.
func sessionLock() (goose.ProviderOption, error) {
	locker, err := lock.NewPostgresSessionLocker()
	return goose.WithSessionLocker(locker), err
}

// tableLock makes them wait at a row where a pooler gives each transaction
// another session.
func tableLock() (goose.ProviderOption, error) {
	locker, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(time.Second, 300))
	return goose.WithLocker(locker), err
}
