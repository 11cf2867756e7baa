package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/loop"
	"portalhooks/delivery/pipeline"
	"portalhooks/delivery/seal"
)

// Options tune a Service. Owner, Keyring and Registry must be set; the zero
// value of everything else is ready for production.
type Options struct {
	Owner    delivery.Owner               // this server's slot among the servers on the store
	Keyring  *seal.Keyring                // seals secrets at rest
	Registry prometheus.Registerer        // takes the metrics
	Egress   egress.Policy                // where webhooks may be sent to
	ViewURLs map[delivery.ItemKind]string // for items without one of their own: a URL with {id} in it
	Workers  int                          // attempts in flight at once; 128 if zero
	// Concurrency is how many attempts are in flight at once for a webhook whose
	// policy sets none; DefaultConcurrency if zero.
	Concurrency int
	Memory      int           // deliveries kept in memory at once; 4096 if zero
	Poll        time.Duration // pause after an empty claim; 1 s if zero
	// Retention is how long events and finished deliveries are kept; 30 days if
	// zero.
	Retention time.Duration
	// AuditRetention is how long the audit log is kept; a year if zero, at least
	// MinAuditRetention.
	AuditRetention time.Duration
	// MaxKeyLife is how long an API key lives at most that a person makes through
	// the API; DefaultKeyLife if zero.
	MaxKeyLife time.Duration
	// FailingLimit is how long a webhook may do nothing but fail before it is
	// disabled; 5 days if zero.
	FailingLimit time.Duration
	// Drain is how long Run waits, when it is told to stop, for attempts in
	// flight; MaxTimeout and a little if zero.
	Drain   time.Duration
	Version string // of the program, for the User-Agent header
	Logger  *slog.Logger
	Tracer  trace.Tracer // makes spans; none if nil
	// Stored is told how many new deliveries a call of an organization's own
	// callers has stored, also when it failed for the rest; may be nil.
	Stored func(org delivery.OrgID, deliveries int)
	// Post makes calls; the guarded HTTP client's if nil.
	Post func(context.Context, egress.Request) egress.Result
}

func (o Options) withDefaults() Options {
	o.Workers = cmp.Or(o.Workers, 128)
	o.Concurrency = cmp.Or(o.Concurrency, delivery.DefaultConcurrency)
	o.Memory = cmp.Or(o.Memory, 4096)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Retention = cmp.Or(o.Retention, 30*24*time.Hour)
	o.AuditRetention = max(delivery.MinAuditRetention, cmp.Or(o.AuditRetention, 365*24*time.Hour))
	o.FailingLimit = cmp.Or(o.FailingLimit, 5*24*time.Hour)
	o.Drain = cmp.Or(o.Drain, delivery.MaxTimeout+2*time.Second)
	o.Version = cmp.Or(o.Version, "dev")
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Stored == nil {
		o.Stored = func(delivery.OrgID, int) {}
	}
	return o
}

// A Service is the domain: what callers may ask for, role checks and
// maintenance. Its methods may be called by many goroutines, and work while Run
// runs.
type Service struct {
	store    delivery.Store
	opts     Options
	log      *slog.Logger
	ids      *delivery.IDs
	metrics  *pipeline.Metrics
	started  time.Time
	tests    testSlots
	lease    slotLease
	recaller *recaller
	pipeline *pipeline.Pipeline

	Keys *Keys // the API keys
}

// New returns a service over store. Nothing runs before Run is called.
func New(store delivery.Store, o Options) *Service {
	o = o.withDefaults()
	store = delivery.Sealed(store, o.Keyring)
	s := &Service{
		store:   store,
		opts:    o,
		log:     o.Logger,
		ids:     delivery.NewIDs(o.Owner.Slot),
		started: time.Now().UTC(),
		tests:   testSlots{orgs: make(map[delivery.OrgID]int)},
	}
	s.lease.began = s.started
	s.Keys = NewKeys(store, s.ids)
	s.Keys.MaxLife = o.MaxKeyLife
	s.pipeline = pipeline.New(store, pipeline.Options{
		Owner: o.Owner, IDs: s.ids, Keyring: o.Keyring, Registry: o.Registry, Egress: o.Egress,
		Workers: o.Workers, Concurrency: o.Concurrency, Memory: o.Memory, Poll: o.Poll, Drain: o.Drain,
		Version: o.Version, Logger: o.Logger, Tracer: o.Tracer, Post: o.Post,
		Silent: s.lease.silent, Stored: o.Stored,
		Gone: func(ctx context.Context, org delivery.OrgID, id delivery.WebhookID, target string) error {
			return s.disable(ctx, org, id, delivery.DisabledAsGone, target)
		},
	})
	s.metrics = s.pipeline.Metrics
	s.recaller = &recaller{
		queue: store, recalled: func() { s.pipeline.Dispatcher.Wake() }, metrics: s.metrics, log: s.log,
		wake: loop.NewWake(), asked: make(map[delivery.WebhookID]delivery.RecallPosition),
	}
	return s
}

// releaseTime bounds what Run does after everything else has ended.
const releaseTime = 5 * time.Second

// Run runs the pipeline and the maintenance until ctx ends, and returns when all
// have ended: see [Pipeline.Run]. At the end it releases the server's slot. It
// returns nil after that, or the error for which the server must start again:
// losing its slot.
func (s *Service) Run(ctx context.Context) error {
	detached := context.WithoutCancel(ctx)
	serving, stopServing := context.WithCancel(detached)
	defer stopServing()
	delivering, stopDelivering := context.WithCancel(ctx)
	defer stopDelivering()
	background, backgroundCtx := errgroup.WithContext(serving)
	background.Go(func() error {
		defer stopDelivering() // it ends early only when the slot is lost
		return s.heartbeat(backgroundCtx)
	})
	background.Go(func() error { return s.maintain(backgroundCtx) })
	background.Go(func() error { return s.recaller.Run(backgroundCtx) })

	failed := s.takeOver(delivering)
	if failed == nil {
		failed = s.pipeline.Run(delivering)
	}
	stopServing()
	failed = errors.Join(failed, background.Wait())
	if err := s.leave(detached); err != nil {
		s.log.WarnContext(ctx, "leave the queue", "err", err)
	}
	return failed
}
