package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// A Report has the results of a run.
type Report struct {
	At       time.Time `json:"at"`
	Seconds  float64   `json:"seconds"` // duration of the run
	Database string    `json:"database"`
	Version  string    `json:"databaseVersion"`
	System   string    `json:"system"`
	CPUs     int       `json:"cpus"`
	Rounds   int       `json:"rounds"`
	Duration float64   `json:"secondsPerMeasurement"`
	Figures  []Figure  `json:"figures"`
}

func newReport(o Options, db *databaseServer) *Report {
	return &Report{
		At: time.Now().UTC().Truncate(time.Second), Database: db.kind, Version: db.version,
		System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Rounds: o.Rounds, Duration: o.Duration.Seconds(),
	}
}

// add appends a figure with its verdict.
func (r *Report) add(f Figure) {
	f.apply(goalsOf(r.Database))
	r.Figures = append(r.Figures, f)
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report as a table.
func (r *Report) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "Portalhooks on %s %s, %s, %d CPUs; median of %d, %s each; %s, took %.0f s\n\n",
		r.Database, r.Version, r.System, r.CPUs, r.Rounds,
		time.Duration(r.Duration*float64(time.Second)), r.At.Format("2006-01-02 15:04 MST"), r.Seconds)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tWHAT\tVALUE\tCOMPARED\tMUST\tAIM\t\tCPU S/1000\tOTHERS' CPU")
	for i := range r.Figures {
		f := &r.Figures[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			f.Name, f.Title, short(f.Value)+" "+f.Unit, score(f.Score, f.Scale),
			limit(f.Must, f.Scale), limit(f.Aim, f.Scale), f.Verdict, decimals(f.CPU), percent(f.Others))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Note != "" {
			fmt.Fprintf(w, "\n%s: %s", f.Name, f.Note)
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

func limit(n *float64, scale string) string {
	if n == nil {
		return "-"
	}
	return score(*n, scale)
}

func decimals(n *float64) string {
	if n == nil {
		return "n/a"
	}
	return fmt.Sprintf("%.3f", *n)
}

func percent(share *float64) string {
	if share == nil {
		return "n/a"
	}
	return fmt.Sprintf("%.0f %%", 100**share)
}
