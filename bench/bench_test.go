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
		"nothing set":              {Options{}, true},
		"some measurements":        {Options{Only: []string{"raw", "crash"}}, true},
		"an unknown measurement":   {Options{Only: []string{"speed"}}, false},
		"too many rounds":          {Options{Rounds: 101}, false},
		"rounds below nought":      {Options{Rounds: -1}, false},
		"too short a measurement":  {Options{Duration: time.Millisecond}, false},
		"quick and full at a time": {Options{Quick: true, Full: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.options.withDefaults().check(); (err == nil) != tt.ok {
				t.Errorf("check: %v, want ok %t", err, tt.ok)
			}
		})
	}
}

func TestUnknownDatabaseIsRefused(t *testing.T) {
	for _, url := range []string{"mysql://localhost/x", "portalhooks.db"} {
		if _, err := openServer(t.Context(), url, t.TempDir()); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

func TestFolderOf(t *testing.T) {
	for url, want := range map[string]string{
		"": "", "sqlite:data/x.db": "data", "sqlite:///var/lib/x.db": "/var/lib", "postgres://host/name": "",
	} {
		if got := folderOf(url); got != want {
			t.Errorf("folderOf(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestWhatIsComparedWithIsMeasuredToo(t *testing.T) {
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
		for _, m := range b.wantedTurns() {
			got = append(got, m.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("for %s: %v, want %v", only, got, want)
		}
	}
}

func TestChildrenDoNotSeeTheSettings(t *testing.T) {
	got := foreign([]string{"PATH=/bin", "PORTALHOOKS_LISTEN=:1", "HOME=/"})
	if !slices.Equal(got, []string{"PATH=/bin", "HOME=/"}) {
		t.Errorf("got %v", got)
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
