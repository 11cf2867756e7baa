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

// channel is the channel that tells servers of new log entries.
const channel = "portalhooks_log"

const (
	// How often a listener checks its connection, and how long it waits for any
	// answer.
	listenCheck   = 2 * time.Second
	listenTimeout = 5 * time.Second
	// How long a lock may be waited for. Only an earlier connection of this
	// server, which PostgreSQL has not given up yet, can hold it.
	lockTimeout = time.Second
	// How long a connection must have lasted before its server judges others.
	steadyAfter = 2 * time.Second
	// reconnectMin is the first pause between two tries to connect again.
	reconnectMin = 100 * time.Millisecond
)

// ReconnectMax is the longest pause between two tries to connect again.
const ReconnectMax = time.Second

// A Listener is the one connection to PostgreSQL that a server keeps for itself.
// It receives the notifications, and it holds an advisory lock for each slot
// that the server leases. PostgreSQL releases the lock when the connection ends,
// and so when the server dies: the other servers need not wait for the end of
// its lease.
//
// A server announces that it holds its lock. One that has lost its connection
// but still runs retracts that, and is protected by its lease until it has a
// connection again.
type Listener struct {
	url     string
	logger  *slog.Logger
	receive func(payload string)
	tell    func(ctx context.Context, o delivery.Owner, held bool) error // announces a lock

	stop func()
	done sync.WaitGroup

	changed   loop.Wake // when wanted has changed
	mu        sync.Mutex
	wanted    map[int]int64 // epoch by slot
	announced map[int]int64 // epochs whose lock was announced
	since     time.Time     // when the connection was made; zero while there is none
}

// NewListener starts to connect to the database that url names. It calls receive
// with the payload of each notification, with an empty one after each connect,
// and tell to announce a lock or to retract that.
func NewListener(
	url string, heard func(string), mark func(context.Context, delivery.Owner, bool) error, logger *slog.Logger,
) *Listener {
	// No caller waits for the listener, so there is no context to take: it lives
	// until Close.
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
		err := l.connectOrRetract(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > ReconnectMax+listenTimeout { // it worked for a while
			pause.Reset()
			level = slog.LevelWarn
			l.logger.InfoContext(ctx, "the connection for notifications was lost and is made again", "error", err)
			continue
		}
		l.logger.Log(ctx, level, "live updates from other servers come late, and the lease of this server tells "+
			"that it lives, until there is a connection for them", "error", err)
		level = slog.LevelDebug // once is enough
		pause.Sleep(ctx)        // the condition above looks at ctx
	}
}

// connectOrRetract connects, and until that has worked retracts what was announced
// of the connection before: making one may take longer than the other servers wait
// for a lock that is free.
func (l *Listener) connectOrRetract(ctx context.Context) error {
	retracting, stop := context.WithCancel(ctx)
	var retracted sync.WaitGroup
	retracted.Go(func() {
		for !l.retract(ctx, l.announcements()) && loop.Sleep(retracting, reconnectMin) {
		}
	})
	connected := func() {
		stop()
		retracted.Wait()
	}
	defer connected()
	return l.connect(ctx, connected)
}

// connect makes a connection and uses it until it or ctx ends. It calls connected
// before it takes locks.
func (l *Listener) connect(ctx context.Context, connected func()) error {
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
	connected()
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

// lock takes the locks that are wanted and releases the others. A lock that is
// not available now is taken later; only the loss of the connection is an error.
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

// announce tells the other servers of a lock, unless they know.
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

// retract makes the other servers rely on the lease, and reports whether it could.
func (l *Listener) retract(ctx context.Context, some map[int]int64) bool {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for slot, epoch := range some {
		if err := l.tell(ctx, delivery.Owner{Slot: slot, Epoch: epoch}, false); err != nil {
			return false
		}
		l.mu.Lock()
		delete(l.announced, slot)
		l.mu.Unlock()
	}
	return true
}

// Hold makes the listener take the lock of an owner, soon, and release that of
// an earlier epoch.
func (l *Listener) Hold(o delivery.Owner) {
	l.mu.Lock()
	l.wanted[o.Slot] = o.Epoch
	l.mu.Unlock()
	l.changed.Notify()
}

// Release makes the listener release the lock of an owner, soon.
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

// Close ends the connection, and with it the locks.
func (l *Listener) Close() {
	l.stop()
	l.done.Wait()
}

// execute runs one statement and reports whether PostgreSQL answered, also by
// refusing it. A connection without an answer is closed.
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
