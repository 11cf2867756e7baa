package app

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// newLogger returns the logger that the settings ask for. It writes to the
// error stream: standard output is for what a command answers.
func newLogger(c *Settings, logs io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // can't be: the command line takes only the levels
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		opts.ReplaceAttr = forMachines
		return slog.New(c.LogHandler(slog.NewJSONHandler(logs, opts)))
	}
	return slog.New(c.LogHandler(slog.NewTextHandler(logs, opts)))
}

// forMachines writes a value of a JSON line as the API writes it: an id in its
// text form, and a duration in milliseconds under a name that says so.
func forMachines(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		ms := float64(a.Value.Duration()) / float64(time.Millisecond)
		return slog.Float64(a.Key+"_ms", ms)
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error: // has its text in every format
		case fmt.Stringer:
			return slog.String(a.Key, v.String())
		}
	}
	return a
}
