package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Options configure a run. Only Program is required.
type Options struct {
	// Program is the executable of the server and the receiver. It must have the
	// commands serve and SinkCommand.
	Program string
	// Database is a PostgreSQL URL, on whose server the run creates its databases,
	// or sqlite:PATH, in whose directory it creates files; a temporary directory if
	// empty. The named database itself is not changed.
	Database string
	Only     []string      // names of the measurements to run; all if empty
	Quick    bool          // smoke test of a few seconds; its figures are not meaningful
	Full     bool          // measure memory with 1M, claims with 10M queued deliveries, and growth to 10M
	Rounds   int           // of the measurements repeated in rounds; 3 if zero, 1 if Quick
	Duration time.Duration // of a measurement; 2s if zero, 300ms if Quick
	Progress io.Writer     // receives the name of each measurement; optional
	Profile  io.Writer     // receives a CPU profile of the engine's deliveries; optional
}

func (o Options) withDefaults() Options {
	rounds, duration := 3, 2*time.Second
	if o.Quick {
		rounds, duration = 1, 300*time.Millisecond
	}
	o.Rounds, o.Duration = cmp.Or(o.Rounds, rounds), cmp.Or(o.Duration, duration)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// size returns the size of a measurement for the kind of run.
func (o Options) size(quick, normal, full int) int {
	switch {
	case o.Full:
		return full
	case o.Quick:
		return quick
	}
	return normal
}

func (o Options) check() error {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("unknown measurement %q: use one of %s", name, strings.Join(Names(), ", "))
		}
	}
	if o.Rounds < 1 || o.Rounds > 100 || o.Duration < 100*time.Millisecond || o.Duration > 10*time.Minute {
		return errors.New("the number of rounds must be 1 to 100, and the duration of a measurement 100ms to 10m")
	}
	if o.Quick && o.Full {
		return errors.New("a run cannot be both quick and full")
	}
	return nil
}

// A bench is a run.
type bench struct {
	o         Options
	dir       string // removed at the end
	procfs    *procfs
	databases *databaseServer
	receiver  *receiver
	numbers   numberer
	report    *Report
}

// A standaloneMeasure is a measurement that is not repeated in rounds.
type standaloneMeasure struct {
	name string
	run  func(b *bench, ctx context.Context) error
}

func standaloneMeasures() []standaloneMeasure {
	return []standaloneMeasure{
		{"latency", (*bench).latency},
		{"hanging", (*bench).hanging},
		{"neighbour", (*bench).neighbour},
		{"crash", (*bench).crash},
		{"memory", (*bench).memory},
		{"claim", (*bench).claim},
		{"connections", (*bench).connections},
		{"storage", (*bench).storage},
		{"growth", (*bench).growth},
	}
}

// Names returns the names of all measurements in the order of their execution.
func Names() []string {
	var names []string
	for _, m := range roundMeasures() {
		names = append(names, m.name)
	}
	for _, m := range standaloneMeasures() {
		names = append(names, m.name)
	}
	return names
}

// Run runs the measurements. It removes everything that it has created, even if ctx
// ends.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	began := time.Now()
	b := &bench{o: o, procfs: newProcfs()}
	if b.dir, err = os.MkdirTemp(directoryOf(o.Database), "portalhooks-bench-"); err != nil {
		return nil, fmt.Errorf("create a directory for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.databases, err = openDatabaseServer(ctx, o.Database, b.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.databases.close()) }()
	b.procfs.postmaster = b.databases.postmaster(ctx, b.procfs)
	if b.receiver, err = startReceiver(ctx, o.Program, b.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.receiver.close()) }()
	b.procfs.watch(b.receiver.pid(), sinkRole)
	b.report = newReport(o, b.databases)
	if err := b.measure(ctx); err != nil {
		return nil, err
	}
	b.report.Seconds = time.Since(began).Seconds()
	return b.report, nil
}

func (b *bench) measure(ctx context.Context) error {
	if err := b.runRounds(ctx); err != nil {
		return err
	}
	for _, m := range standaloneMeasures() {
		if !b.selected(m.name) {
			continue
		}
		b.progress("%s", m.name)
		before, from := len(b.report.Figures), b.procfs.read()
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		share := b.procfs.since(from).share()
		for i := range b.report.Figures[before:] {
			f := &b.report.Figures[before+i]
			f.Others = cmp.Or(f.Others, share)
		}
	}
	return nil
}

// selected reports whether Only includes the measurement.
func (b *bench) selected(name string) bool {
	return len(b.o.Only) == 0 || slices.Contains(b.o.Only, name)
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.o.Progress, "measuring "+format+"\n", args...)
}
