package app

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
)

// Lines for machines have what the API has: an id that is found there, and
// durations in milliseconds.
func TestJSONLinesSpeakTheAPIsIDs(t *testing.T) {
	t.Parallel()
	id := delivery.WebhookID(384880779064246272)
	var out strings.Builder
	newLogger(&Settings{LogFormat: "json", LogLevel: "info"}, &out).Info("circuit breaker opened",
		"webhook", id, "pause", 29_999_500*time.Microsecond, "err", errors.New("refused"), "reason", delivery.DisabledAsGone)
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	for key, want := range map[string]any{
		"webhook": id.String(), "pause_ms": 29_999.5, "err": "refused", "reason": "GONE", "level": "INFO",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v: %s", key, line[key], want, out.String())
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, line["time"].(string)); err != nil {
		t.Errorf("the time: %v", err)
	}
}

// Lines for people stay as they are.
func TestTextLinesHaveDurationsForPeople(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	newLogger(&Settings{LogFormat: "text", LogLevel: "info"}, &out).Info("opened",
		"webhook", delivery.WebhookID(1), "pause", 30*time.Second)
	if !strings.Contains(out.String(), "webhook=wh_") || !strings.Contains(out.String(), "pause=30s") {
		t.Errorf("the line is %s", out.String())
	}
}
