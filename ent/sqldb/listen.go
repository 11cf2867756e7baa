package sqldb

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

// The channel that tells processes of new log entries.
const channel = "portalhooks_log"

const (
	// Between two signs of life that a link asks for, and how long it waits for
	// any answer.
	listenCheck   = 2 * time.Second
	listenTimeout = 5 * time.Second
	// How long a lock may be waited for. Only an earlier connection of this
	// process, which the server has not given up yet, can be in the way.
	lockTimeout = time.Second
	// How long a connection must have lasted before its server judges others.
	steadyAfter = 2 * time.Second
	// reconnectMin is the first pause between two tries to connect again.
	reconnectMin = 100 * time.Millisecond
)

// ReconnectMax is the longest pause between two tries to connect again.
const ReconnectMax = time.Second

// A link is the one connection to PostgreSQL that a process keeps for itself.
// It hears the notifications, and it holds a lock for each slot that the
// process leases. The server frees the lock the moment the connection ends,
// which is the moment the process dies: the other processes need not wait for
// the end of its lease.
//
// The column locked of a slot tells them that there is such a lock. A process
// that has lost its link but not its life takes that back, and goes by its
// lease until it has a link again.
type Listener struct {
	url     string
	logger  *slog.Logger
	receive func(payload string)
	tell    func(ctx context.Context, o delivery.Owner, held bool) error // writes the column

	stop func()
	done sync.WaitGroup

	changed   loop.Wake // holds a wake-up when wanted has changed
	mu        sync.Mutex
	wanted    map[int]int64 // epoch by slot
	announced map[int]int64 // epochs that say that they have a lock
	since     time.Time     // when the connection was made; zero while there is none
}

// newLink starts to connect to the database that url names.
func NewListener(
	url string, heard func(string), mark func(context.Context, delivery.Owner, bool) error, logger *slog.Logger,
) *Listener {
	// No caller waits for the link, so there is no context to take: it lives as
	// long as the store.
	ctx, stop := context.WithCancel(context.Background())
	l := &Listener{
		url: url, logger: logger, receive: heard, tell: mark, stop: stop,
		changed: loop.NewWake(), wanted: make(map[int]int64), announced: make(map[int]int64),
	}
	l.done.Go(func() { l.run(ctx) })
	return l
}

// run keeps the connection until ctx ends.
func (l *Listener) run(ctx context.Context) {
	pause, level := loop.Backoff{Min: reconnectMin, Max: ReconnectMax}, slog.LevelWarn
	for ctx.Err() == nil {
		began := time.Now()
		err := l.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > ReconnectMax+listenTimeout {
			// It worked for a while: the locks are taken again before another server
			// misses them.
			pause.Reset()
			level = slog.LevelWarn
			l.logger.InfoContext(ctx, "the connection for notifications was lost and is made again", "error", err)
			continue
		}
		l.logger.Log(ctx, level, "live updates from other servers come late, and the lease of this server tells "+
			"that it lives, until there is a connection for them", "error", err)
		level = slog.LevelDebug // once is enough
		l.retract(ctx, l.announcements())
		pause.Sleep(ctx) // the condition above looks at ctx
	}
}

// connected makes a connection and uses it until it or ctx ends.
func (l *Listener) connect(ctx context.Context) error {
	notes := make(chan *pq.Notification, 16)
	c, err := pq.NewListenerConn(l.url, notes)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := range notes {
			l.receive(n.Extra)
		}
	}()
	defer func() {
		_ = c.Close()
		<-ended
	}()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()

	for _, statement := range []string{
		"LISTEN " + channel,
		fmt.Sprintf("SET lock_timeout = %d", lockTimeout.Milliseconds()),
	} {
		if _, err := execute(c, statement); err != nil {
			return err
		}
	}
	l.setSince(time.Now())
	defer l.setSince(time.Time{})
	l.receive("") // anything may have been missed until now
	return l.keep(ctx, c, ended)
}

// keep holds the locks until the connection ends.
func (l *Listener) keep(ctx context.Context, c *pq.ListenerConn, ended <-chan struct{}) error {
	held := make(map[int]int64)
	check := time.NewTicker(listenCheck)
	defer check.Stop()
	for {
		if err := l.lock(ctx, c, held); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return c.Err()
		case <-l.changed:
		case <-check.C:
			if _, err := execute(c, "SELECT 1"); err != nil {
				return err
			}
		}
	}
}

// hold makes the locks that are held those that are wanted. A lock that can't
// be had now is tried again later; only the loss of the connection is an error.
func (l *Listener) lock(ctx context.Context, c *pq.ListenerConn, held map[int]int64) error {
	wanted := l.wants()
	for slot, epoch := range maps.Clone(held) {
		if wanted[slot] == epoch {
			continue
		}
		if _, err := execute(c, "SELECT pg_advisory_unlock("+LockOf(slot, epoch)+")"); err != nil {
			return err
		}
		delete(held, slot)
	}
	for slot, epoch := range wanted {
		if held[slot] != epoch {
			answered, err := execute(c, "SELECT pg_advisory_lock("+LockOf(slot, epoch)+")")
			if !answered {
				return err
			}
			if err != nil {
				l.logger.DebugContext(ctx, "the lock of this server can't be had now", "error", err)
				l.retract(ctx, map[int]int64{slot: epoch})
				continue
			}
			held[slot] = epoch
		}
		l.announce(ctx, slot, epoch)
	}
	return nil
}

// markHeld tells the others of a lock, unless they know.
func (l *Listener) announce(ctx context.Context, slot int, epoch int64) {
	if l.announcements()[slot] == epoch {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	if err := l.tell(ctx, delivery.Owner{Slot: slot, Epoch: epoch}, true); err != nil {
		l.logger.DebugContext(ctx, "tell of the lock of this server", "error", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announced[slot] = epoch
}

// unmark tells the others to go by the lease.
func (l *Listener) retract(ctx context.Context, some map[int]int64) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for slot, epoch := range some {
		if err := l.tell(ctx, delivery.Owner{Slot: slot, Epoch: epoch}, false); err != nil {
			return // tried again before the next connection
		}
		l.mu.Lock()
		delete(l.announced, slot)
		l.mu.Unlock()
	}
}

// take makes the link hold the lock of an owner, soon; it gives up that of an
// earlier epoch.
func (l *Listener) Hold(o delivery.Owner) {
	l.mu.Lock()
	l.wanted[o.Slot] = o.Epoch
	l.mu.Unlock()
	l.changed.Notify()
}

// leave makes the link give up the lock of an owner, soon.
func (l *Listener) Release(o delivery.Owner) {
	l.mu.Lock()
	if l.wanted[o.Slot] == o.Epoch {
		delete(l.wanted, o.Slot)
		delete(l.announced, o.Slot)
	}
	l.mu.Unlock()
	l.changed.Notify()
}

func (l *Listener) wants() map[int]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.wanted)
}

func (l *Listener) announcements() map[int]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.announced)
}

func (l *Listener) setSince(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = t
}

// Lasted returns how long the connection has lasted; 0 while there is none.
func (l *Listener) Lasted() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		return 0
	}
	return time.Since(l.since)
}

// Steady reports whether the connection has lasted for so long that the other
// servers would have theirs again, had PostgreSQL dropped all of them. Until
// then a free lock does not mean that its server is dead.
func (l *Listener) Steady() bool { return l.Lasted() >= steadyAfter }

// close ends the connection, and with it the locks.
func (l *Listener) Close() {
	l.stop()
	l.done.Wait()
}

// execute runs one statement and reports whether the server answered, if only
// by refusing it. A connection without an answer is closed.
func execute(c *pq.ListenerConn, statement string) (answered bool, err error) {
	late := time.AfterFunc(listenTimeout, func() { _ = c.Close() })
	defer late.Stop()
	return c.ExecSimpleQuery(statement)
}

// LockSpace is the first number of the servers' advisory locks. Locks are per
// database; the number, chosen once, keeps ours apart from those of other
// programs.
const LockSpace = 1_886_351_988

// LockOf returns the two numbers of a server's lock.
func LockOf(slot int, epoch int64) string {
	return fmt.Sprintf("%d, %d", LockSpace, slot<<20|int(epoch%(1<<20)))
}
