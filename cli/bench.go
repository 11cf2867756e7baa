package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"portalhooks/app"
	"portalhooks/bench"
)

// benchCmd runs the benchmarks.
type benchCmd struct {
	Database string        `help:"Database to measure: a PostgreSQL server as postgres://USER:PASSWORD@HOST/NAME, or SQLite in the folder of sqlite:PATH. Default: SQLite in the folder for temporary files. The benchmark creates databases of its own; the named one is not touched." placeholder:"URL"`
	JSON     bool          `help:"Print JSON instead of a table."`
	Quick    bool          `help:"Check within seconds that everything works. The figures mean nothing."`
	Full     bool          `help:"Measure memory with 1,000,000 and claims with 10,000,000 waiting deliveries, and growth to 10,000,000. Takes hours."`
	Only     []string      `help:"Run only these measurements and the ones that they are compared with." placeholder:"NAME"`
	Rounds   int           `help:"Rounds of the measurements that take turns. Default: 3, or 1 with --quick." placeholder:"N"`
	Duration time.Duration `help:"Duration of one measurement. Default: 2s, or 300ms with --quick." placeholder:"DURATION"`
	Profile  string        `help:"File for a CPU profile of the measurement pipeline, which runs in this process." placeholder:"FILE" type:"path"`
}

// Run runs the benchmarks and prints the result. The error stream gets the
// progress.
func (c *benchCmd) Run(ctx context.Context, t terminal) (err error) {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the executable, to start servers: %w", err)
	}
	o := bench.Options{
		Program: program, Database: c.Database, Only: c.Only, Quick: c.Quick, Full: c.Full,
		Rounds: c.Rounds, Duration: c.Duration, Progress: t.err,
	}
	if c.Profile != "" {
		file, failed := os.Create(c.Profile)
		if failed != nil {
			return fmt.Errorf("create the profile: %w", failed)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		o.Profile = file
	}
	app.PaceCollector() // as the server does: some measurements run in this process
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return report.WriteJSON(t.out)
	}
	return report.WriteTable(t.out)
}

// benchSinkCmd is the receiver of a benchmark, which bench starts.
type benchSinkCmd struct{}

// Run serves until standard input or ctx ends.
func (*benchSinkCmd) Run(ctx context.Context, t terminal) error {
	return bench.ServeSink(ctx, os.Stdin, t.out)
}
