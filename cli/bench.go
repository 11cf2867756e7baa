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

// benchCmd measures.
type benchCmd struct {
	Database string        `help:"Where to measure: on the server of postgres://USER:PASSWORD@HOST/NAME, which gets databases for that, or with SQLite in the folder of sqlite:PATH; in the system's folder for temporary files if left out. What is in the database is not touched." placeholder:"URL"`
	JSON     bool          `help:"Print JSON instead of a table."`
	Quick    bool          `help:"Take only seconds: whether everything works, not how fast."`
	Full     bool          `help:"Measure memory with 1,000,000 and claims with 10,000,000 deliveries waiting, and growth to 10,000,000. Takes hours."`
	Only     []string      `help:"Make only these measurements, and those that they are compared with." placeholder:"NAME"`
	Rounds   int           `help:"Rounds of the measurements that take turns; 3, or 1 with --quick, if left out." placeholder:"N"`
	Duration time.Duration `help:"Duration of one measurement; 2s, or 300ms with --quick, if left out." placeholder:"DURATION"`
	Profile  string        `help:"File for a CPU profile of the deliveries that are made in process." placeholder:"FILE" type:"path"`
}

// Run measures and prints the result. What is being measured is told on the
// error stream.
func (c *benchCmd) Run(ctx context.Context, t terminal) (err error) {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program's file, to start servers from it: %w", err)
	}
	o := bench.Options{
		Program: program, Database: c.Database, Only: c.Only, Quick: c.Quick, Full: c.Full,
		Rounds: c.Rounds, Duration: c.Duration, Progress: t.err,
	}
	if c.Profile != "" {
		file, failed := os.Create(c.Profile)
		if failed != nil {
			return fmt.Errorf("make the file for the profile: %w", failed)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		o.Profile = file
	}
	app.PaceCollector() // as the server does: some of it runs in this process
	report, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return report.WriteJSON(t.out)
	}
	return report.WriteTable(t.out)
}

// benchSinkCmd is the receiver of a measurement; bench starts it.
type benchSinkCmd struct{}

// Run serves until standard input or ctx ends.
func (*benchSinkCmd) Run(ctx context.Context, t terminal) error {
	return bench.ServeSink(ctx, os.Stdin, t.out)
}
