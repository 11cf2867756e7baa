package ent

import (
	"database/sql"
	"log/slog"
)

// hot keeps the queue, the events, the log and the membership of processes:
// everything whose statements are written by hand.
type hot struct {
	write   *sql.DB
	read    *sql.DB
	dialect dialect
	logger  *slog.Logger
}

func newHot(write, read *sql.DB, d dialect, url string, logger *slog.Logger) (*hot, error) {
	return &hot{write: write, read: read, dialect: d, logger: logger}, nil
}

func (h *hot) close() error { return nil }
