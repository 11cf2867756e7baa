package ent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// lockSuffix is what the name of the file ends in that servers of a SQLite
// database lock while they live.
const lockSuffix = "-lock"

// endLeases ends the lease of everyone.
const endLeases = `UPDATE instance SET until = @now WHERE until > @now`

// A presence shows the other servers of a SQLite database that this one lives:
// they share a lock on a file, which the kernel takes from a process that dies,
// however it does. Whoever gets the lock alone knows that nobody else lives.
type presence struct {
	path string

	mu      sync.Mutex
	file    *os.File // nil before the first entrance
	entered bool
}

// first reports whether nobody has entered through this presence before. There
// is none on PostgreSQL.
func (p *presence) first() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.entered
	p.entered = true
	return first
}

// show takes a share of the lock and reports whether nobody else had one. For a
// moment in between it has none: it must be called within a transaction that
// writes, of which there is one at a time.
func (p *presence) show() (alone bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		if p.file, err = os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return false, fmt.Errorf("open the lock of the servers: %w", err)
		}
	}
	if alone, err = lockAlone(p.file); err == nil {
		err = lockShared(p.file)
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", p.path, err)
	}
	return alone, nil
}

// close gives up the share.
func (p *presence) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}

// enter shows this server to the others, and ends the leases of those before it
// if all of them are dead.
func (h *hot) enter(ctx context.Context, q querier) error {
	alone, err := h.presence.show()
	if err != nil || !alone {
		// Without locks, as on some file systems, dead servers are noticed by
		// their silence.
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		return err
	}
	_, err = q.ExecContext(ctx, h.dialect.sql(endLeases))
	return err
}
