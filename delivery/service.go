package delivery

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/feed"
	"portalhooks/delivery/seal"
)

// Options tune a Service. Owner, Keyring and Registry must be set; the zero
// value of everything else is ready for production.
type Options struct {
	Owner    Owner                 // this process's place among those that share the store
	Keyring  *seal.Keyring         // seals secrets at rest
	Registry prometheus.Registerer // takes the metrics
	Egress   egress.Policy         // where webhooks may be sent to
	ViewURLs map[ItemKind]string   // for items without one of their own: a URL with {id} in it
	Workers  int                   // attempts in flight at once; 64 if zero
	PerHook  int                   // attempts in flight at once for one webhook; 8 if zero
	Memory   int                   // deliveries kept in memory at once; 4096 if zero
	Poll     time.Duration         // pause after an empty claim; 1 s if zero
	// Retention is how long events and finished deliveries are kept; 30 days if
	// zero.
	Retention time.Duration
	// AuditRetention is how long the audit log is kept; a year if zero, at least
	// MinAuditRetention.
	AuditRetention time.Duration
	// FailingLimit is how long a webhook may do nothing but fail before it is
	// disabled; 5 days if zero.
	FailingLimit time.Duration
	// Drain is how long Run waits, when it is told to stop, for attempts in
	// flight; MaxTimeout and a little if zero.
	Drain   time.Duration
	Version string // of the program, for the User-Agent header
	Logger  *slog.Logger
	Tracer  trace.Tracer // makes spans; none if nil
}

func (o Options) withDefaults() Options {
	o.Workers = cmp.Or(o.Workers, 64)
	o.PerHook = cmp.Or(o.PerHook, DefaultConcurrency)
	o.Memory = cmp.Or(o.Memory, 4096)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Retention = cmp.Or(o.Retention, 30*24*time.Hour)
	o.AuditRetention = max(MinAuditRetention, cmp.Or(o.AuditRetention, 365*24*time.Hour))
	o.FailingLimit = cmp.Or(o.FailingLimit, 5*24*time.Hour)
	o.Drain = cmp.Or(o.Drain, MaxTimeout+2*time.Second)
	o.Version = cmp.Or(o.Version, "dev")
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// A Service is the domain: what callers may ask for and the loops that deliver.
// Its methods may be called by many goroutines, and work while Run runs.
type Service struct {
	store   Store
	opts    Options
	log     *slog.Logger
	ids     *IDs
	metrics *metrics
	tracer  *tracer // nil without traces
	client  *egress.Client
	post    func(context.Context, egress.Request) egress.Result // client.Do
	started time.Time
	trials  chan struct{} // one token for each test that is going on
	beat    atomic.Int64  // when the slot was prolonged last, by sinceStart; 0 before
	missed  atomic.Int64  // when that was last tried in vain, by sinceStart; 0 for never

	Keys       *Keys // the API keys
	configs    *configCache
	learner    *learner
	templates  *templateCache
	ingester   *ingester
	dispatcher *Dispatcher
	settler    *settler
	health     *health
	feed       *feed.Hub[*LogEntry]
}

// New returns a service over store. Nothing runs before Run is called.
func New(store Store, o Options) *Service {
	o = o.withDefaults()
	store = sealing{store, o.Keyring}
	s := &Service{
		store:   store,
		opts:    o,
		log:     o.Logger,
		ids:     NewIDs(o.Owner.Slot),
		client:  egress.NewClient(o.Egress, egress.Options{UserAgent: "Portalhooks/" + o.Version}),
		started: time.Now().UTC(),
		trials:  make(chan struct{}, maxTrials),
		tracer:  newTracer(o.Tracer),
	}
	s.post = s.client.Do
	s.metrics = newMetrics(o.Registry)
	s.Keys = NewKeys(store, s.ids)
	s.configs = newConfigCache(store)
	s.learner = newLearner(store, s.ids)
	s.templates = newTemplateCache(store)
	s.health = newHealth(s)
	s.feed = newFeed(s)
	s.settler = newSettler(s)
	s.dispatcher = newDispatcher(s)
	s.ingester = newIngester(s)
	return s
}

// releaseTime bounds what Run does after everything else has ended.
const releaseTime = 5 * time.Second

// Run runs every loop until ctx ends, and returns when all have ended: it stops
// taking and claiming work, waits up to Options.Drain for attempts in flight,
// stores their results, gives everything else back to the queue and ends the
// process's membership. It returns nil after that, or the error for which the
// process must start again: losing its place among the processes.
func (s *Service) Run(ctx context.Context) error {
	defer s.client.Close()
	if err := s.takeBack(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return err
	}
	// Each stage outlives the one that feeds it, so that nothing is taken over
	// by a stage that has ended.
	detached := context.WithoutCancel(ctx)
	settling, stopSettling := context.WithCancel(detached)
	defer stopSettling()
	serving, stopServing := context.WithCancel(detached)
	defer stopServing()

	intake, intakeCtx := errgroup.WithContext(ctx)
	background, backgroundCtx := errgroup.WithContext(serving)
	// A background loop fails only when the process must start again.
	lost, lose := context.WithCancel(intakeCtx)
	defer lose()
	background.Go(func() error { defer lose(); return s.heartbeat(backgroundCtx) })
	background.Go(func() error { return s.feed.Run(backgroundCtx) })
	background.Go(func() error { return s.health.Run(backgroundCtx) })
	background.Go(func() error { return s.maintain(backgroundCtx) })
	// A database that is away must not keep the process from ending.
	defer context.AfterFunc(lost, func() {
		if sleep(serving, s.opts.Drain+leaseMargin) {
			stopSettling()
		}
	})()
	settled := make(chan error, 1)
	go func() { settled <- s.settler.Run(settling) }()
	intake.Go(func() error { return s.ingester.Run(lost) })
	intake.Go(func() error { return s.dispatcher.Run(lost) })

	failed := intake.Wait()
	stopSettling()
	failed = errors.Join(failed, <-settled)
	stopServing()
	failed = errors.Join(failed, background.Wait())
	if err := s.giveBack(detached); err != nil {
		s.log.WarnContext(ctx, "leave the queue", "err", err)
	}
	return failed
}
