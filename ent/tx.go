package ent

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"portalhooks/ent/gen"
	"portalhooks/ent/sqldb"
)

// inTx runs change in one transaction, again from its start while the database
// asks for that: change must not keep anything from an earlier run.
func (s *Store) inTx(ctx context.Context, change func(tx *gen.Tx) error) error {
	return sqldb.Retry(ctx, func() error { return s.once(ctx, s.client, nil, change) })
}

// inSerializable is inTx for a change that depends on which rows there are: of
// several at once each sees what the others have done, as if one followed the
// other.
func (s *Store) inSerializable(ctx context.Context, change func(tx *gen.Tx) error) error {
	return sqldb.Retry(ctx, func() error { return s.once(ctx, s.client, s.db.Serializable(), change) })
}

// inSnapshot runs reads that see one state of the database.
func (s *Store) inSnapshot(ctx context.Context, reads func(tx *gen.Tx) error) error {
	return sqldb.Retry(ctx, func() error { return s.once(ctx, s.reader, s.db.Snapshot(), reads) })
}

func (s *Store) once(
	ctx context.Context, c *gen.Client, o *sql.TxOptions, change func(tx *gen.Tx) error,
) error {
	tx, err := c.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := change(tx); err != nil {
		// The connection is released either way; a second error would only
		// repeat the first.
		if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) && !sqldb.IsLost(undo) {
			return errors.Join(err, fmt.Errorf("roll back: %w", undo))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return &sqldb.CommitError{Err: err}
	}
	return nil
}
