package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
)

// SystemStatus is the state of this server and its database.
type SystemStatus struct {
	Queue     delivery.QueueDepth
	Workers   int               // attempts that can be in flight in this server
	Busy      int               // attempts in flight in this server
	Members   []delivery.Member // the servers that share the database
	Database  string            // "ok", or what is wrong with it
	Version   string
	StartedAt time.Time
}

// DatabaseFault says to people what an error of [delivery.Maintenance].Ping means.
func DatabaseFault(err error) string {
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Message
	}
	return "The database does not answer."
}

// SystemStatus returns how the system is; only operators may ask. A database
// that does not answer is part of the status.
func (s *Service) SystemStatus(ctx context.Context, c delivery.Caller) (*SystemStatus, error) {
	if err := c.CheckOperator(); err != nil {
		return nil, err
	}
	status := &SystemStatus{
		Workers: s.opts.Workers, Busy: s.pipeline.Dispatcher.Busy(),
		Database: "ok", Version: s.opts.Version, StartedAt: s.started,
	}
	if err := s.store.Ping(ctx); err != nil {
		s.log.WarnContext(ctx, "ask the database", "err", err)
		status.Database = DatabaseFault(err)
		return status, nil
	}
	var err error
	if status.Queue, err = s.store.Depth(ctx); err != nil {
		return nil, fmt.Errorf("measure the queue: %w", err)
	}
	if status.Members, err = s.store.Members(ctx); err != nil {
		return nil, fmt.Errorf("list the servers: %w", err)
	}
	return status, nil
}
