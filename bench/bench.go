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

// Options tune a run. Program must be set; the zero value of everything else is
// ready for use.
type Options struct {
	// Program is the file to start the server and the receiver from; it must
	// have the commands serve and SinkCommand.
	Program string
	// Database is a PostgreSQL URL, whose server gets databases for the run, or
	// sqlite:PATH, in whose folder files are made; files in the system's folder
	// for such if empty. What is in the database that it names is not touched.
	Database string
	Only     []string      // measurements by name; all if empty
	Quick    bool          // show in seconds that everything works; the figures mean little
	Full     bool          // measure memory with 1M and claims with 10M deliveries waiting, and growth to 10M
	Rounds   int           // of the measurements that take turns; 3 if zero, 1 if Quick
	Duration time.Duration // of one measurement; 2 s if zero, 300 ms if Quick
	Progress io.Writer     // is told what is being measured; nobody if nil
	Profile  io.Writer     // takes a CPU profile of the engine's deliveries; none if nil
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

// size returns how many rows a measurement takes.
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
			return fmt.Errorf("there is no measurement %q: there are %s", name, strings.Join(Names(), ", "))
		}
	}
	if o.Rounds < 1 || o.Rounds > 100 || o.Duration < 100*time.Millisecond || o.Duration > 10*time.Minute {
		return errors.New("a run has 1 to 100 rounds, and a measurement takes 100ms to 10m")
	}
	if o.Quick && o.Full {
		return errors.New("a run is quick or full, not both")
	}
	return nil
}

// A bench is one run.
type bench struct {
	o        Options
	dir      string // removed at the end
	host     *host
	server   *server
	receiver *receiver
	numbers  numberer
	report   *Report
}

// A single is a measurement that stands for itself.
type single struct {
	name string
	run  func(b *bench, ctx context.Context) error
}

func singles() []single {
	return []single{
		{"latency", (*bench).latency},
		{"hanging", (*bench).hanging},
		{"crash", (*bench).crash},
		{"memory", (*bench).memory},
		{"claim", (*bench).claim},
		{"connections", (*bench).connections},
		{"storage", (*bench).storage},
		{"growth", (*bench).growth},
	}
}

// Names returns the names of all measurements, in the order in which they are
// made.
func Names() []string {
	var names []string
	for _, m := range turns() {
		names = append(names, m.name)
	}
	for _, m := range singles() {
		names = append(names, m.name)
	}
	return names
}

// Run measures. It leaves nothing behind, also when ctx ends.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	began := time.Now()
	b := &bench{o: o, host: newHost()}
	if b.dir, err = os.MkdirTemp(folderOf(o.Database), "portalhooks-bench-"); err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.server, err = openServer(ctx, o.Database, b.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.server.close()) }()
	b.host.postmaster = b.server.postmaster(ctx, b.host)
	if b.receiver, err = startReceiver(ctx, o.Program, b.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.receiver.close()) }()
	b.host.watch(b.receiver.pid(), sinkRole)
	b.report = newReport(o, b.server)
	if err := b.measure(ctx); err != nil {
		return nil, err
	}
	b.report.Seconds = time.Since(began).Seconds()
	return b.report, nil
}

func (b *bench) measure(ctx context.Context) error {
	if err := b.takeTurns(ctx); err != nil {
		return err
	}
	for _, m := range singles() {
		if !b.wants(m.name) {
			continue
		}
		b.tell("%s", m.name)
		before, from := len(b.report.Figures), b.host.read()
		if err := m.run(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		share := b.host.since(from).share()
		for i := range b.report.Figures[before:] {
			f := &b.report.Figures[before+i]
			f.Others = cmp.Or(f.Others, share)
		}
	}
	return nil
}

// wants reports whether a measurement was asked for.
func (b *bench) wants(name string) bool {
	return len(b.o.Only) == 0 || slices.Contains(b.o.Only, name)
}

func (b *bench) tell(format string, args ...any) {
	fmt.Fprintf(b.o.Progress, "measuring "+format+"\n", args...)
}
