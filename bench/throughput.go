package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"time"
)

// endpoints is the number of webhooks in measurements of throughput. The concurrency of
// a webhook is eight, so at least eight webhooks are needed to use all 64 workers.
const endpoints = 16

// A roundMeasure is a measurement that is repeated in rounds.
type roundMeasure struct {
	name, title, unit string
	baseline          string // name of the measurement that it is compared with
	scale             string
	run               func(b *bench, ctx context.Context, s *roundFixtures) (sample, error)
}

func roundMeasures() []roundMeasure {
	return []roundMeasure{
		{
			name: "commits", title: "F: commits of one connection", unit: "commits/s",
			run: func(b *bench, ctx context.Context, _ *roundFixtures) (sample, error) { return b.commits(ctx) },
		},
		{
			name: "raw", title: "R: bare HTTP client, 64 at once", unit: "calls/s",
			run: func(b *bench, ctx context.Context, _ *roundFixtures) (sample, error) { return b.raw(ctx) },
		},
		{
			name: "pipeline", title: "deliveries from memory, in process", unit: "deliveries/s",
			baseline: "raw", scale: scaleR, run: (*bench).pipeline,
		},
		{
			name: "drain", title: "deliveries of a backlog, in process", unit: "deliveries/s",
			baseline: "raw", scale: scaleR, run: (*bench).drain,
		},
		{
			name: "graphql", title: "deliveries through the API", unit: "deliveries/s",
			baseline: "raw", scale: scaleR, run: (*bench).graphql,
		},
		{
			name: "subscribers", title: "the same with 1,000 live subscribers", unit: "deliveries/s",
			baseline: "graphql", scale: scaleTimes, run: (*bench).subscribers,
		},
		{
			name: "ingest", title: "events acknowledged through the API", unit: "events/s",
			baseline: "commits", scale: scaleF, run: (*bench).ingestAcks,
		},
		{
			name: "fleet", title: "the same for the alerts of 5,000 devices", unit: "events/s",
			baseline: "commits", scale: scaleF, run: (*bench).fleetAcks,
		},
	}
}

// roundFixtures are shared by the measurements repeated in rounds.
type roundFixtures struct {
	engine *fixture
	api    *fixture // of server
	server *serverProcess
}

// runRounds runs each roundMeasure once per round and reports the medians.
func (b *bench) runRounds(ctx context.Context) (err error) {
	wanted := b.selectedRounds()
	if len(wanted) == 0 {
		return nil
	}
	s, err := b.newRoundFixtures(ctx, wanted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	samples := map[string][]sample{}
	for round := range b.o.Rounds {
		for _, m := range wanted {
			b.progress("%s (%d of %d)", m.name, round+1, b.o.Rounds)
			taken, err := m.run(b, ctx, s)
			if err != nil {
				return fmt.Errorf("measure %s: %w", m.name, err)
			}
			samples[m.name] = append(samples[m.name], taken)
		}
	}
	for _, m := range wanted {
		b.report.add(m.figure(b.o.shape(), samples[m.name], samples[m.baseline]))
	}
	return nil
}

// selectedRounds returns the selected measurements and their baselines.
func (b *bench) selectedRounds() []roundMeasure {
	needed := map[string]bool{}
	for _, m := range roundMeasures() {
		if b.selected(m.name) {
			needed[m.name] = true
			needed[m.baseline] = true
			if m.baseline == "graphql" {
				needed["raw"] = true
			}
		}
	}
	var wanted []roundMeasure
	for _, m := range roundMeasures() {
		if needed[m.name] {
			wanted = append(wanted, m)
		}
	}
	return wanted
}

func (b *bench) newRoundFixtures(ctx context.Context, wanted []roundMeasure) (_ *roundFixtures, err error) {
	s := &roundFixtures{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.engine, err = b.newFixture(ctx, 1, endpoints); err != nil {
		return nil, err
	}
	for _, m := range wanted {
		switch m.name {
		case "graphql", "subscribers", "ingest", "fleet":
		default:
			continue
		}
		if s.api, err = b.newFixture(ctx, 1, endpoints); err != nil {
			return nil, err
		}
		s.server, err = b.serve(ctx, s.api)
		return s, err
	}
	return s, nil
}

func (s *roundFixtures) close(ctx context.Context) error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.close())
	}
	for _, fx := range []*fixture{s.api, s.engine} {
		if fx != nil {
			errs = append(errs, fx.drop(ctx))
		}
	}
	return errors.Join(errs...)
}

// figure summarizes the rounds. The score is the median of the rounds' ratios, so that
// a slow round does not affect it.
func (m roundMeasure) figure(load shape, own, other []sample) Figure {
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

// optional returns the median, or nil if there are no values.
func optional(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	m := median(values)
	return &m
}

// pipeline measures the engine alone, without the API.
func (b *bench) pipeline(ctx context.Context, s *roundFixtures) (taken sample, err error) {
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
			b.o.Profile = nil // profile a single round
		}
		l := startLoad(ctx, b.o.shape(), e.store.final.Load, func(ctx context.Context, n int) error {
			return e.ingest(ctx, b.reports(endpoints, n))
		})
		taken, err = b.window(ctx, e.store.final.Load, engineRole, dataRole)
		return errors.Join(err, l.end(), e.finish(ctx, l.sent.Load()))
	})
}

// finish waits until n deliveries are in a final state.
func (e *engine) finish(ctx context.Context, n int64) error {
	return until(ctx, time.Millisecond, fmt.Sprintf("%d deliveries are final", n), func() (bool, error) {
		return e.store.final.Load() >= n, ctx.Err()
	})
}

// backlogSeeds is the number of events whose deliveries are copied into a backlog.
const backlogSeeds = 1_000

// backlog fills the queue with n due deliveries without a lease.
func (b *bench) backlog(ctx context.Context, fx *fixture, seeds, n int) error {
	e, err := fx.open(ctx, true)
	if err != nil {
		return err
	}
	err = e.run(ctx, func(ctx context.Context) error {
		return e.ingest(ctx, b.reports(fx.hooks, min(seeds, n)))
	})
	if err != nil {
		return err
	}
	return fx.multiply(ctx, n)
}

// drain measures the rate at which a backlog is delivered, between the first and the
// last tenth.
func (b *bench) drain(ctx context.Context, s *roundFixtures) (taken sample, err error) {
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
		before, from, began := e.store.final.Load(), b.procfs.read(), time.Now()
		if err := e.finish(ctx, int64(n*9/10)); err != nil {
			return err
		}
		done := float64(e.store.final.Load() - before)
		taken = newSample(done, time.Since(began), b.procfs.since(from), engineRole, dataRole)
		return e.finish(ctx, int64(n))
	})
}
