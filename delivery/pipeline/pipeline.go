package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/fair"
	"portalhooks/delivery/loop"
	"portalhooks/delivery/seal"
)

// Options tune a Pipeline. All but Registry, Egress and Tracer must be
// set.
type Options struct {
	Owner       delivery.Owner        // this server's slot among those that share the store
	IDs         *delivery.IDs         // gives out the ids of events, deliveries and log entries
	Keyring     *seal.Keyring         // opens secrets
	Registry    prometheus.Registerer // takes the metrics; may be nil
	Egress      egress.Policy         // where webhooks may be sent to
	Workers     int                   // attempts in flight at once
	Concurrency int                   // attempts in flight at once for a webhook whose policy sets none
	Memory      int                   // deliveries held in memory at once
	Poll        time.Duration         // pause after an empty claim
	Drain       time.Duration         // how long Run waits for attempts in flight when it is told to stop
	Version     string                // of the program, for the User-Agent header
	Logger      *slog.Logger
	Tracer      trace.Tracer // makes spans; none if nil
	// Silent reports whether other servers may have taken over the jobs of this
	// one, which then makes no calls.
	Silent func() bool
	// Gone is told of a webhook whose target answered 410, again until it
	// returns no error.
	Gone func(ctx context.Context, org delivery.OrgID, id delivery.WebhookID, target string) error
	// Stored is told how many new deliveries a call with a scope has stored.
	Stored func(org delivery.OrgID, deliveries int)
	// Post makes calls; the guarded HTTP client's if nil.
	Post func(context.Context, egress.Request) egress.Result
}

// A Pipeline is the stages that an event goes through, wired to one another:
// ingest, dispatch, attempt, settle and watch.
type Pipeline struct {
	Ingester   *Ingester
	Dispatcher *Dispatcher
	Settler    *Settler
	Health     *Health
	Publisher  *Publisher

	Webhooks *cache.Webhooks
	Targets  *cache.Targets
	Renderer *cache.Renderer
	Sender   *Sender
	Metrics  *Metrics
	Tracer   *Tracer

	opts   Options
	client *egress.Client
}

// New returns a pipeline over store. Nothing runs before Run is called.
func New(store delivery.Store, o Options) *Pipeline {
	agent := "Portalhooks/" + o.Version
	client := egress.NewClient(o.Egress, egress.Options{UserAgent: agent})
	webhooks := cache.NewWebhooks(store)
	p := &Pipeline{
		Publisher: newPublisher(store, o.Keyring, o.Logger),
		Webhooks:  webhooks,
		Targets:   cache.NewTargets(store, webhooks, o.Keyring),
		Renderer:  cache.NewRenderer(store),
		Sender:    &Sender{post: client.Do, UserAgent: agent},
		Metrics:   NewMetrics(o.Registry),
		Tracer:    newTracer(o.Tracer),
		opts:      o,
		client:    client,
	}
	if o.Post != nil {
		p.Sender.post = o.Post
	}
	p.Health = newHealth(store, p.Metrics, o.Logger)
	p.Health.Gone = o.Gone
	p.Settler = newSettler(store, o.Owner, o.IDs, p.Metrics, o.Logger)
	p.Dispatcher = p.newDispatcher(store)
	p.Dispatcher.watch(o.Registry)
	p.Settler.Settled = p.settled
	p.Settler.Requeued = p.Dispatcher.Requeued
	p.Ingester = &Ingester{
		events: store, webhooks: webhooks, register: cache.NewRegister(store, o.IDs), ids: o.IDs,
		metrics: p.Metrics, told: o.Stored,
		enqueuer: newEnqueuer(store, p.Dispatcher, o, p.Metrics, p.Tracer),
	}
	return p
}

func (p *Pipeline) newDispatcher(queue claimer) *Dispatcher {
	o := p.opts
	return &Dispatcher{
		queue: queue, settler: p.Settler, webhooks: p.Webhooks, opts: o,
		attempter: &Attempter{
			targets: p.Targets, renderer: p.Renderer, sender: p.Sender, concurrency: o.Concurrency,
			silent: o.Silent, random: rand.Float64, metrics: p.Metrics, log: o.Logger,
		},
		scheduler: fair.NewScheduler(fair.Options{
			Concurrency: o.Concurrency, Workers: o.Workers, ClaimSize: ClaimSize, Lease: delivery.JobLease,
		}),
		memory:  fair.NewMemory(o.Memory),
		metrics: p.Metrics, tracer: p.Tracer, log: o.Logger, wake: loop.NewWake(),
	}
}

// Run runs every stage until ctx ends, and returns when all have ended: it stops
// accepting and claiming, waits up to Options.Drain for attempts in flight,
// stores their results and requeues everything else.
func (p *Pipeline) Run(ctx context.Context) error {
	defer p.client.Close()
	// Each stage outlives the one that feeds it, so that no item is handed to a
	// stage that has ended.
	settling, stopSettling := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSettling()
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	// A database that is away must not keep the server from ending.
	defer context.AfterFunc(ctx, func() {
		if loop.Sleep(watching, p.opts.Drain+LeaseMargin) {
			stopSettling()
		}
	})()

	var first, second, third errgroup.Group
	third.Go(func() error { return p.Publisher.Run(watching) })
	third.Go(func() error { return p.Health.Run(watching) })
	second.Go(func() error { return p.Settler.Run(settling) })
	first.Go(func() error { return p.Ingester.Run(ctx) })
	first.Go(func() error { return p.Dispatcher.Run(ctx) })

	failed := first.Wait()
	stopSettling()
	failed = errors.Join(failed, second.Wait())
	stopWatching()
	return errors.Join(failed, third.Wait())
}

// Usage is what a Pipeline keeps in memory.
type Usage struct {
	Scheduler   fair.Usage
	Deliveries  int // in memory, reserved ones included
	Subscribers int // of the delivery log
	Health      int // webhooks whose latest attempt is remembered
	Unwritten   int // webhooks whose health is still to be written
	Traces      int // deliveries whose call is remembered
}

// Usage returns what the pipeline keeps in memory.
func (p *Pipeline) Usage() Usage {
	u := Usage{
		Scheduler: p.Dispatcher.scheduler.Usage(), Deliveries: p.Dispatcher.Held(),
		Subscribers: p.Publisher.Subscribers(),
	}
	u.Health, u.Unwritten = p.Health.usage()
	if p.Tracer != nil {
		u.Traces = p.Tracer.origins.Len()
	}
	return u
}
