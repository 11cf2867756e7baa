package egress

import (
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		value string
		want  time.Duration
		ok    bool
	}{
		"seconds":              {"120", 2 * time.Minute, true},
		"zero":                 {"0", 0, true},
		"spaces":               {" 3 ", 3 * time.Second, true},
		"fraction rounds up":   {"1.2", 2 * time.Second, true},
		"whole fraction":       {"1.0", time.Second, true},
		"a day at most":        {"86401", MaxRetryAfter, true},
		"more than fits":       {"99999999999999999999999", MaxRetryAfter, true},
		"date":                 {"Fri, 02 Jan 2026 03:05:05 GMT", time.Minute, true},
		"old date format":      {"Friday, 02-Jan-26 03:05:05 GMT", time.Minute, true},
		"past date":            {"Fri, 02 Jan 2026 03:00:00 GMT", 0, true},
		"date too far":         {"Fri, 02 Jan 2099 03:00:00 GMT", MaxRetryAfter, true},
		"empty":                {"", 0, false},
		"negative":             {"-1", 0, false},
		"word":                 {"soon", 0, false},
		"number and more":      {"12 s", 0, false},
		"two points":           {"1.2.3", 0, false},
		"exponent":             {"1e9", 0, false},
		"hexadecimal":          {"0x10", 0, false},
		"digits of other kind": {"１２", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseRetryAfter(tt.value, now)
			if got != tt.want || ok != tt.ok {
				t.Errorf("ParseRetryAfter(%q) = %s, %t, want %s, %t", tt.value, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, value := range []string{"120", "1.5", "Fri, 02 Jan 2026 03:05:05 GMT", "-1", ""} {
		f.Add(value)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := ParseRetryAfter(value, now)
		if got < 0 || got > MaxRetryAfter || !ok && got != 0 {
			t.Fatalf("ParseRetryAfter(%q) = %s, %t", value, got, ok)
		}
	})
}
