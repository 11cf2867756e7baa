package httpserver

import (
	"testing"
	"time"
)

// A caller may do as much as its bucket holds, then as much as flows in, and is told
// how long to wait. Other callers are not delayed.
func TestRates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 14, 9, 0, 0, 0, time.UTC)
	r := NewRates(10, 20)
	r.now = func() time.Time { return now }
	take := func(caller string, n int, want time.Duration) {
		t.Helper()
		if got := r.Take(caller, n); got != want {
			t.Errorf("%s takes %d: wait %s, want %s", caller, n, got, want)
		}
	}
	take("a", 15, 0)
	take("a", 15, time.Second)
	take("a", 5, 0) // asking for too much has cost nothing
	take("a", 1, 100*time.Millisecond)
	take("b", 20, 0)
	now = now.Add(time.Second)
	take("a", 10, 0)
	take("a", 1, 100*time.Millisecond)
	now = now.Add(time.Hour)
	take("a", 500, 0) // more than the bucket holds costs all of it
	take("a", 1, 100*time.Millisecond)
}

// What a call turns out to cost is paid before the next one, and a minute at the
// most is waited for it.
func TestADebtIsPaidBeforeTheNextCall(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 14, 9, 0, 0, 0, time.UTC)
	r := NewRates(10, 20)
	r.now = func() time.Time { return now }
	wait := func(want time.Duration) {
		t.Helper()
		if got := r.Take("a", 1).Round(time.Millisecond); got != want {
			t.Errorf("wait %s, want %s", got, want)
		}
	}
	r.Charge("a", 15)
	wait(0)
	r.Charge("a", 54) // 4 were left
	wait(5*time.Second + 100*time.Millisecond)
	now = now.Add(6 * time.Second)
	wait(0)
	r.Charge("a", 1_000_000)
	wait(MaxDebt + 100*time.Millisecond)
	r.Charge("a", 1_000_000)
	wait(MaxDebt + 100*time.Millisecond)
	if got := r.Take("b", 20); got != 0 {
		t.Errorf("another caller waits %s", got)
	}
}

// A rate of nothing is no limit.
func TestNoRate(t *testing.T) {
	t.Parallel()
	r := NewRates(0, 1)
	for range 100 {
		r.Charge("a", 1000)
		if wait := r.Take("a", 1000); wait != 0 {
			t.Fatalf("wait %s, want none", wait)
		}
	}
}

// Everybody in one IPv6 network is one caller, as its addresses cost nothing.
func TestAddressOfACaller(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"203.0.113.9:1234":          "203.0.113.9",
		"[::ffff:203.0.113.9]:1234": "203.0.113.9",
		"[2001:db8:1:2:3:4:5:6]:1":  "2001:db8:1:2::/64",
		"[2001:db8:1:2::1]:1":       "2001:db8:1:2::/64",
		"@":                         "@",
	} {
		if got := Address(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// However many callers there are, the memory for them is bounded.
func TestRatesForgetCallers(t *testing.T) {
	t.Parallel()
	r := NewRates(1, 1)
	for i := range ratesKept + 100 {
		r.Take(string(rune(i)), 1)
	}
	if n := r.buckets.Len(); n > ratesKept {
		t.Errorf("%d callers are remembered, want at most %d", n, ratesKept)
	}
}
