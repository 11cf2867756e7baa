package queue

import (
	"context"
	"errors"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// endLeases ends the lease of every server.
const endLeases = `UPDATE instance SET until = ` + certain + ` WHERE until > 0`

// joining shows this server to the others before its first Join. If it is the
// only one, the leases of all servers before it end.
func (s *sqliteQueue) joining() func(context.Context, sqldb.Querier) error {
	if !s.lock.first() {
		return func(context.Context, sqldb.Querier) error { return nil }
	}
	return func(ctx context.Context, tx sqldb.Querier) error {
		alone, err := s.lock.share()
		if errors.Is(err, errors.ErrUnsupported) {
			return nil // without locks, as on some file systems, leases have to end
		}
		if err == nil && alone {
			_, err = tx.ExecContext(ctx, s.sql(endLeases))
		}
		return err
	}
}

func (s *sqliteQueue) joined(delivery.Owner) {}

func (s *sqliteQueue) left(delivery.Owner) {}

// endDeadLeases does nothing: the locks of a file do not tell which of several
// servers is dead.
func (s *sqliteQueue) endDeadLeases(context.Context) error { return nil }
