package queue

import (
	"fmt"
	"os"
	"sync"
)

// lockSuffix ends the name of the file that the servers of a SQLite database
// lock while they live.
const lockSuffix = "-lock"

// A processLock shows the other servers of a SQLite database that this one
// lives: they share a lock on a file, which the kernel releases when a process
// ends, however it does. A server that gets the lock alone is the only one.
type processLock struct {
	path string

	mu     sync.Mutex
	file   *os.File // nil before the first Join
	joined bool
}

// first reports whether this is the first Join.
func (l *processLock) first() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.joined
	l.joined = true
	return first
}

// share takes a share of the lock and reports whether no other server had one.
// For a moment in between it has none: it must be called within a transaction
// that writes, of which there is one at a time.
func (l *processLock) share() (alone bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		if l.file, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return false, fmt.Errorf("open the lock of the servers: %w", err)
		}
	}
	if alone, err = lockAlone(l.file); err == nil {
		err = lockShared(l.file)
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", l.path, err)
	}
	return alone, nil
}

// close releases the share.
func (l *processLock) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
