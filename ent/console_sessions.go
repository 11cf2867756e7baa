package ent

import (
	"context"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	sessionrow "portalhooks/ent/gen/session"
	"portalhooks/ent/sqldb"
)

// sessionSlice is how many sessions one DiscardSessions removes at most.
const sessionSlice = 500

// CreateSession implements [delivery.SessionStore].
func (s *Store) CreateSession(ctx context.Context, one delivery.Session, keep int) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		err := tx.Session.Create().
			SetID(one.ID).
			SetPerson(sqldb.Clean(one.Person)).
			SetName(sqldb.Clean(one.Name)).
			SetClaims(sqldb.Clean(encode(one.Claims))).
			SetCreatedAt(sqldb.Micros(one.CreatedAt)).
			SetEndsAt(sqldb.Micros(one.EndsAt)).
			SetSeenAt(sqldb.Micros(one.SeenAt)).
			Exec(ctx)
		if err != nil {
			return err
		}
		surplus, err := tx.Session.Query().
			Where(sessionrow.Person(sqldb.Clean(one.Person))).
			Order(gen.Desc(sessionrow.FieldCreatedAt, sessionrow.FieldID)).
			Offset(keep).Limit(sessionSlice).
			IDs(ctx)
		if err != nil || len(surplus) == 0 {
			return err
		}
		_, err = tx.Session.Delete().Where(sessionrow.IDIn(surplus...)).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("create a session: %w", sqldb.Unavailable(err))
	}
	return nil
}

// SessionsByID implements [delivery.SessionStore].
func (s *Store) SessionsByID(ctx context.Context, ids []string) ([]delivery.Session, error) {
	found := make([]delivery.Session, 0, len(ids))
	rows, err := s.reader.Session.Query().Where(sessionrow.IDIn(ids...)).All(ctx)
	for _, row := range rows {
		var one delivery.Session
		if one, err = toSession(row); err != nil {
			break
		}
		found = append(found, one)
	}
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", sqldb.Unavailable(err))
	}
	return found, nil
}

// TouchSessions implements [delivery.SessionStore].
func (s *Store) TouchSessions(ctx context.Context, ids []string, at time.Time) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		return tx.Session.Update().
			Where(sessionrow.IDIn(ids...), sessionrow.SeenAtLT(sqldb.Micros(at))).
			SetSeenAt(sqldb.Micros(at)).
			Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("note the use of sessions: %w", sqldb.Unavailable(err))
	}
	return nil
}

// EndSession implements [delivery.SessionStore].
func (s *Store) EndSession(ctx context.Context, id string) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		_, err := tx.Session.Delete().Where(sessionrow.ID(id)).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("end a session: %w", sqldb.Unavailable(err))
	}
	return nil
}

// DiscardSessions implements [delivery.SessionStore].
func (s *Store) DiscardSessions(ctx context.Context, t time.Time) (more bool, err error) {
	err = s.inTx(ctx, func(tx *gen.Tx) error {
		over, err := tx.Session.Query().Where(sessionrow.SeenAtLT(sqldb.Micros(t))).Limit(sessionSlice).IDs(ctx)
		more = len(over) == sessionSlice
		if err != nil || len(over) == 0 {
			return err
		}
		// A session that was used in the meantime is kept.
		_, err = tx.Session.Delete().Where(sessionrow.IDIn(over...), sessionrow.SeenAtLT(sqldb.Micros(t))).Exec(ctx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("discard sessions: %w", sqldb.Unavailable(err))
	}
	return more, nil
}
