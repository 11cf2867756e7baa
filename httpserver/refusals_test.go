package httpserver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Every refusal is counted; of many there are few lines, which say how many there
// were.
func TestRefusalsAreCountedAndSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		registry := prometheus.NewRegistry()
		r := NewRefusals(registry, slog.New(slog.NewTextHandler(&log, nil)))
		for range 100 {
			r.Note(BadCredentials, "203.0.113.9")
		}
		r.Note(TooOften, "203.0.113.9")
		time.Sleep(logEvery)
		r.Note(BadCredentials, "203.0.113.10")
		found, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		const want = `label:{name:"reason" value:"credentials"} counter:{value:101`
		if got := strings.ReplaceAll(found[0].String(), "  ", " "); !strings.Contains(got, want) {
			t.Errorf("the metric is %s, want %s", got, want)
		}
		if n := strings.Count(log.String(), "\n"); n != 3 || !strings.Contains(log.String(), "unlogged=99") {
			t.Errorf("the log has %d lines, want 3, the last with the 99 others:\n%s", n, &log)
		}
	})
}
