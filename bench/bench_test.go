package bench

import (
	"slices"
	"testing"
	"time"
)

func TestOptionsAreChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		options Options
		ok      bool
	}{
		"nothing set":             {Options{}, true},
		"some measurements":       {Options{Only: []string{"raw", "crash"}}, true},
		"an unknown measurement":  {Options{Only: []string{"speed"}}, false},
		"too many rounds":         {Options{Rounds: 101}, false},
		"negative rounds":         {Options{Rounds: -1}, false},
		"too short a measurement": {Options{Duration: time.Millisecond}, false},
		"quick and full":          {Options{Quick: true, Full: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.options.withDefaults().check(); (err == nil) != tt.ok {
				t.Errorf("check: %v, want ok %t", err, tt.ok)
			}
		})
	}
}

func TestUnknownDatabaseIsRejected(t *testing.T) {
	for _, url := range []string{"mysql://localhost/x", "portalhooks.db"} {
		if _, err := openDatabaseServer(t.Context(), url, t.TempDir()); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

func TestFolderOf(t *testing.T) {
	for url, want := range map[string]string{
		"": "", "sqlite:data/x.db": "data", "sqlite:///var/lib/x.db": "/var/lib", "postgres://host/name": "",
	} {
		if got := directoryOf(url); got != want {
			t.Errorf("directoryOf(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestBaselinesAreMeasuredToo(t *testing.T) {
	for only, want := range map[string][]string{
		"raw":         {"raw"},
		"pipeline":    {"raw", "pipeline"},
		"ingest":      {"commits", "ingest"},
		"fleet":       {"commits", "fleet"},
		"subscribers": {"raw", "graphql", "subscribers"},
		"crash":       nil,
	} {
		b := &bench{o: Options{Only: []string{only}}}
		var got []string
		for _, m := range b.selectedRounds() {
			got = append(got, m.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: measurements %v, want %v", only, got, want)
		}
	}
}

func TestProcessesDoNotInheritSettings(t *testing.T) {
	got := withoutSettings([]string{"PATH=/bin", "PORTALHOOKS_LISTEN=:1", "HOME=/"})
	if !slices.Equal(got, []string{"PATH=/bin", "HOME=/"}) {
		t.Errorf("environment = %v, want it without PORTALHOOKS_LISTEN", got)
	}
}

func TestMetric(t *testing.T) {
	const page = "# HELP x y\nx{state=\"A\"} 12\nx{state=\"B\"} 1.5e+06\n"
	for name, want := range map[string]int64{
		`x{state="A"} `: 12, `x{state="B"} `: 1_500_000, `x{state="C"} `: 0,
	} {
		if got, err := metric(page, name); got != want || err != nil {
			t.Errorf("%s = %d (%v), want %d", name, got, err, want)
		}
	}
}
