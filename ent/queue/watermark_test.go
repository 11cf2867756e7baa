package queue

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
)

// What another server made due long ago is below the watermark, and is found by
// the next scan that starts at the first row.
func TestWatermarksHideNothingForLong(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s, other := openQueue(t, url), openQueue(t, url)
	owner, err := s.Join(t.Context(), "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	claim := func() int {
		t.Helper()
		jobs, err := s.Claim(t.Context(), delivery.ClaimRequest{
			Owner: owner, N: 8, PerWebhook: 8, Lease: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(jobs)
	}
	if n := claim(); n != 0 {
		t.Fatalf("claimed %d from an empty queue", n)
	}
	facts(t, other, 2, time.Now(), delivery.Queued)
	_, err = other.db.Writer().ExecContext(t.Context(), "UPDATE queue SET due_at = due_at - 3600000000")
	if err != nil {
		t.Fatal(err)
	}
	if n := claim(); n != 0 {
		t.Errorf("claimed %d that are below the mark, want none: the look starts at it", n)
	}
	for class := range s.low.from {
		s.low.from[class] = s.low.from[class].Add(-watermarkLife)
	}
	if n := claim(); n != 2 {
		t.Errorf("claimed %d after the mark's time, want both", n)
	}
}

func TestWatermarksFollowScans(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var l watermarks
	at, look := l.begin(now)
	l.end(alerts, look, 100)
	if at != [classes]int64{} || l.at[alerts] != 100 {
		t.Errorf("the first look starts at %v and leaves %v, want 0 and 100", at, l.at)
	}
	_, look = l.begin(now)
	l.admit(50)
	l.end(alerts, look, 200)
	if l.at[alerts] != 50 {
		t.Errorf("the mark is %d, want 50: the row came in while the look was under way", l.at[alerts])
	}
	l.admit(70)
	_, look = l.begin(now)
	l.end(alerts, look, 200)
	if at, _ := l.begin(now.Add(watermarkLife - 1)); at[alerts] != 200 {
		t.Errorf("a look starts at %d, want 200", at[alerts])
	}
	if at, _ := l.begin(now.Add(watermarkLife)); at[alerts] != 0 {
		t.Errorf("after the mark's time a look starts at %d, want the first row", at[alerts])
	}
}
