package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"time"
)

// endpoints is how many webhooks the measurements of throughput have. The
// server makes eight calls to one at a time, so that there must be eight to
// keep its 64 workers busy.
const endpoints = 16

// A turnMeasure is a measurement that takes turns with the others.
type turnMeasure struct {
	name, title, unit string
	of                string // what it is compared with: the name of another
	scale             string
	run               func(b *bench, ctx context.Context, s *stage) (sample, error)
}

func turns() []turnMeasure {
	return []turnMeasure{
		{
			name: "commits", title: "F: commits of one connection", unit: "commits/s",
			run: func(b *bench, ctx context.Context, _ *stage) (sample, error) { return b.commits(ctx) },
		},
		{
			name: "raw", title: "R: bare HTTP client, 64 at once", unit: "calls/s",
			run: func(b *bench, ctx context.Context, _ *stage) (sample, error) { return b.raw(ctx) },
		},
		{
			name: "pipeline", title: "deliveries from memory, in process", unit: "deliveries/s",
			of: "raw", scale: scaleR, run: (*bench).pipeline,
		},
		{
			name: "drain", title: "deliveries of a backlog, in process", unit: "deliveries/s",
			of: "raw", scale: scaleR, run: (*bench).drain,
		},
		{
			name: "graphql", title: "deliveries through the API", unit: "deliveries/s",
			of: "raw", scale: scaleR, run: (*bench).graphql,
		},
		{
			name: "subscribers", title: "the same with 1,000 live subscribers", unit: "deliveries/s",
			of: "graphql", scale: scaleTimes, run: (*bench).subscribers,
		},
		{
			name: "ingest", title: "events acknowledged through the API", unit: "events/s",
			of: "commits", scale: scaleF, run: (*bench).ingestAcks,
		},
		{
			name: "fleet", title: "the same for the alerts of 5,000 devices", unit: "events/s",
			of: "commits", scale: scaleF, run: (*bench).fleetAcks,
		},
	}
}

// A stage is what the measurements that take turns share.
type stage struct {
	engine *world // for the engine
	served *world
	server *served
}

// takeTurns makes, in each round, every measurement that takes turns, and
// enters the medians.
func (b *bench) takeTurns(ctx context.Context) (err error) {
	wanted := b.wantedTurns()
	if len(wanted) == 0 {
		return nil
	}
	s, err := b.newStage(ctx, wanted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	samples := map[string][]sample{}
	for round := range b.o.Rounds {
		for _, m := range wanted {
			b.tell("%s (%d of %d)", m.name, round+1, b.o.Rounds)
			taken, err := m.run(b, ctx, s)
			if err != nil {
				return fmt.Errorf("measure %s: %w", m.name, err)
			}
			samples[m.name] = append(samples[m.name], taken)
		}
	}
	for _, m := range wanted {
		b.report.add(m.figure(b.o.shape(), samples[m.name], samples[m.of]))
	}
	return nil
}

// wantedTurns returns what was asked for and what that is compared with.
func (b *bench) wantedTurns() []turnMeasure {
	needed := map[string]bool{}
	for _, m := range turns() {
		if b.wants(m.name) {
			needed[m.name] = true
			needed[m.of] = true
			if m.of == "graphql" {
				needed["raw"] = true
			}
		}
	}
	var wanted []turnMeasure
	for _, m := range turns() {
		if needed[m.name] {
			wanted = append(wanted, m)
		}
	}
	return wanted
}

func (b *bench) newStage(ctx context.Context, wanted []turnMeasure) (_ *stage, err error) {
	s := &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.engine, err = b.newWorld(ctx, 1, endpoints); err != nil {
		return nil, err
	}
	for _, m := range wanted {
		switch m.name {
		case "graphql", "subscribers", "ingest", "fleet":
		default:
			continue
		}
		if s.served, err = b.newWorld(ctx, 1, endpoints); err != nil {
			return nil, err
		}
		s.server, err = b.serve(ctx, s.served)
		return s, err
	}
	return s, nil
}

func (s *stage) close(ctx context.Context) error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.close())
	}
	for _, w := range []*world{s.served, s.engine} {
		if w != nil {
			errs = append(errs, w.drop(ctx))
		}
	}
	return errors.Join(errs...)
}

// figure sums up the rounds. The score is the median of the ratios of each
// round, so that what slows down a whole round does no harm.
func (m turnMeasure) figure(load shape, own, other []sample) Figure {
	f := Figure{Name: m.name, Title: m.title, Unit: m.unit}
	var ratios, cpu, others, waits []float64
	for i, s := range own {
		f.Rounds = append(f.Rounds, s.rate)
		if i < len(other) {
			ratios = append(ratios, ratio(s.rate, other[i].rate))
		}
		if s.cpu != nil {
			cpu = append(cpu, *s.cpu)
		}
		if s.others != nil {
			others = append(others, *s.others)
		}
		waits = append(waits, s.waits...)
	}
	f.Value = median(f.Rounds)
	if len(ratios) > 0 {
		f.Score, f.Scale = median(ratios), m.scale
	}
	f.CPU, f.Others = optional(cpu), optional(others)
	if len(waits) > 0 {
		f.Note = fmt.Sprintf("acknowledged after %s ms (p50) and %s ms (p99), batches of %d from %d callers.",
			short(percentile(waits, 50)), short(percentile(waits, 99)), load.batch, load.callers)
	}
	return f
}

// optional returns the median, or nil of none.
func optional(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	m := median(values)
	return &m
}

// pipeline measures the engine: everything but the API.
func (b *bench) pipeline(ctx context.Context, s *stage) (taken sample, err error) {
	e, err := s.engine.open(ctx, false)
	if err != nil {
		return sample{}, err
	}
	return taken, e.run(ctx, func(ctx context.Context) (err error) {
		if b.o.Profile != nil {
			if err := pprof.StartCPUProfile(b.o.Profile); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
			b.o.Profile = nil // it takes one round
		}
		l := startLoad(ctx, b.o.shape(), e.store.final.Load, func(ctx context.Context, n int) error {
			return e.ingest(ctx, b.reports(endpoints, n))
		})
		taken, err = b.window(ctx, e.store.final.Load, engineRole, dataRole)
		return errors.Join(err, l.end(), e.finish(ctx, l.sent.Load()))
	})
}

// finish waits until n deliveries are final.
func (e *engine) finish(ctx context.Context, n int64) error {
	return until(ctx, time.Millisecond, fmt.Sprintf("%d deliveries are final", n), func() (bool, error) {
		return e.store.final.Load() >= n, ctx.Err()
	})
}

// backlogSeeds is how many events the rows of a backlog are copies of.
const backlogSeeds = 1_000

// backlog fills the queue with n due deliveries that nobody holds.
func (b *bench) backlog(ctx context.Context, w *world, seeds, n int) error {
	e, err := w.open(ctx, true)
	if err != nil {
		return err
	}
	err = e.run(ctx, func(ctx context.Context) error {
		return e.ingest(ctx, b.reports(w.hooks, min(seeds, n)))
	})
	if err != nil {
		return err
	}
	return w.multiply(ctx, n)
}

// drain measures how fast a backlog is delivered, from when a tenth of it is
// until nine tenths are.
func (b *bench) drain(ctx context.Context, s *stage) (taken sample, err error) {
	n := b.o.size(4_000, 20_000, 50_000)
	if err := b.backlog(ctx, s.engine, backlogSeeds, n); err != nil {
		return sample{}, err
	}
	e, err := s.engine.open(ctx, false)
	if err != nil {
		return sample{}, err
	}
	return taken, e.run(ctx, func(ctx context.Context) error {
		if err := e.finish(ctx, int64(n/10)); err != nil {
			return err
		}
		before, from, began := e.store.final.Load(), b.host.read(), time.Now()
		if err := e.finish(ctx, int64(n*9/10)); err != nil {
			return err
		}
		done := float64(e.store.final.Load() - before)
		taken = newSample(done, time.Since(began), b.host.since(from), engineRole, dataRole)
		return e.finish(ctx, int64(n))
	})
}
