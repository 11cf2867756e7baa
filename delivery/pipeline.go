package delivery

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/loop"
	"portalhooks/delivery/seal"
)

// PipelineOptions tune a Pipeline. All but Registry, Egress and Tracer must be
// set.
type PipelineOptions struct {
	Owner       Owner                 // this server's slot among those that share the store
	IDs         *IDs                  // gives out the ids of events, deliveries and log entries
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
	Gone func(ctx context.Context, org OrgID, id WebhookID, target string) error
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

	Webhooks *WebhookCache
	Targets  *Targets
	Renderer *Renderer
	Sender   *Sender
	Metrics  *Metrics
	Tracer   *Tracer

	opts   PipelineOptions
	client *egress.Client
}

// NewPipeline returns a pipeline over store. Nothing runs before Run is called.
func NewPipeline(store Store, o PipelineOptions) *Pipeline {
	agent := "Portalhooks/" + o.Version
	client := egress.NewClient(o.Egress, egress.Options{UserAgent: agent})
	webhooks := NewWebhookCache(store)
	p := &Pipeline{
		Publisher: newPublisher(store, o.Logger),
		Webhooks:  webhooks,
		Targets:   &Targets{store: store, webhooks: webhooks, keys: o.Keyring},
		Renderer:  NewRenderer(store),
		Sender:    &Sender{post: client.Do, UserAgent: agent},
		Metrics:   NewMetrics(o.Registry),
		Tracer:    newTracer(o.Tracer),
		opts:      o,
		client:    client,
	}
	if o.Post == nil {
		p.Sender.post = client.Do
	}
	p.Health = newHealth(store, p.Metrics, o.Logger)
	p.Health.Gone = o.Gone
	p.Settler = newSettler(store, o.Owner, o.IDs, p.Metrics, o.Logger)
	p.Dispatcher = p.newDispatcher(store)
	p.Dispatcher.watch(o.Registry)
	p.Settler.Settled = p.settled
	p.Settler.Requeued = p.Dispatcher.Requeued
	p.Ingester = &Ingester{
		events: store, webhooks: webhooks, register: newRegister(store, o.IDs), ids: o.IDs, metrics: p.Metrics,
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
		scheduler: NewScheduler(SchedulerOptions{
			Concurrency: o.Concurrency, Workers: o.Workers, ClaimSize: claimSize, Lease: jobLease,
		}),
		memory:  newMemory(o.Memory),
		metrics: p.Metrics, tracer: p.Tracer, log: o.Logger, wake: loop.NewWake(),
	}
}

// settled publishes results that are settled.
func (p *Pipeline) settled(ctx context.Context, settled []Settled) []Requeue {
	p.Publisher.Wake()
	p.Health.Observe(settled)
	return p.Dispatcher.Settled(ctx, settled)
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
		if loop.Sleep(watching, p.opts.Drain+leaseMargin) {
			stopSettling()
		}
	})()

	var first, second, third errgroup.Group
	third.Go(func() error { return p.Publisher.Run(watching) })
	third.Go(func() error { return p.Health.Run(watching) })
	second.Go(func() error { return p.Settler.Run(settling) })
	first.Go(func() error { return p.Ingester.enqueuer.Run(ctx) })
	first.Go(func() error { return p.Dispatcher.Run(ctx) })

	failed := first.Wait()
	stopSettling()
	failed = errors.Join(failed, second.Wait())
	stopWatching()
	return errors.Join(failed, third.Wait())
}
