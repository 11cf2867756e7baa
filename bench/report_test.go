package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// exampleReport returns a report with one figure of each kind.
func exampleReport() *Report {
	n := func(f float64) *float64 { return &f }
	r := &Report{
		At: time.Date(2026, 1, 14, 9, 30, 0, 0, time.UTC), Seconds: 93.4, Database: postgresKind, Version: "15.8",
		System: "linux/amd64", CPUs: 2, Rounds: 3, Duration: 2,
	}
	r.add(Figure{
		Name: "raw", Title: "R: bare HTTP client, 64 at once", Value: 27_123.4, Unit: "calls/s",
		CPU: n(0.0501), Others: n(0.024),
	})
	r.add(Figure{
		Name: "pipeline", Title: "deliveries from memory, in process", Value: 14_201, Unit: "deliveries/s",
		Score: 0.52, CPU: n(0.0912), Others: n(0),
	})
	r.add(Figure{
		Name: "latency", Title: "mutation to receiver, p50 at 100/s", Value: 1.91, Unit: "ms", Score: -0.12,
		Note: "p99 4.10 ms.",
	})
	r.add(Figure{Name: "crash", Title: "kill -9 to the last redelivery", Value: 6.2, Unit: "s", Score: 6.2})
	r.add(Figure{
		Name: "connections", Title: "connections of a busy server", Value: 4, Unit: "connections", Score: 4,
	})
	return r
}

func TestWriteTable(t *testing.T) {
	var got bytes.Buffer
	if err := exampleReport().WriteTable(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.golden", got.Bytes())
}

func TestWriteJSON(t *testing.T) {
	var got bytes.Buffer
	if err := exampleReport().WriteJSON(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.golden", got.Bytes())
	var back Report
	if err := json.Unmarshal(got.Bytes(), &back); err != nil || len(back.Figures) != 5 {
		t.Errorf("%d figures (%v), want 5", len(back.Figures), err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant, from %s (-update writes it),\n%s", got, path, want)
	}
}
