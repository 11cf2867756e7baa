package model

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"portalhooks/delivery"
)

func TestFieldLoadsOnceForAll(t *testing.T) {
	t.Parallel()
	var field Field[int]
	loads := 0
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			got, err := field.At(i, func() ([]int, error) { loads++; return []int{10, 11, 12}, nil })
			if err != nil || got != 10+i {
				t.Errorf("sibling %d: got %d, %v", i, got, err)
			}
		})
	}
	all.Wait()
	if loads != 1 {
		t.Errorf("loaded %d times, want once", loads)
	}
}

func TestFieldTellsItsErrorToAll(t *testing.T) {
	t.Parallel()
	var field Field[int]
	failure := errors.New("no")
	loads := 0
	for i := range 2 {
		_, err := field.At(i, func() ([]int, error) { loads++; return nil, failure })
		if !errors.Is(err, failure) || loads != 1 {
			t.Errorf("sibling %d: got %v after %d loads", i, err, loads)
		}
	}
}

// TestMissingObjectsLeaveGaps checks that the other objects keep their index in the
// list and among their siblings.
func TestMissingObjectsLeaveGaps(t *testing.T) {
	t.Parallel()
	d := NewDeliveries([]*delivery.Delivery{{ID: 1}, nil, {ID: 3}})
	if d[1] != nil || d[2].Index != 1 || d[2].With.All[1].ID != 3 || d[0].With != d[2].With {
		t.Errorf("deliveries: got %+v", d)
	}
	e := NewEvents([]*delivery.Event{nil, {ID: 2}})
	if e[0] != nil || e[1].Index != 0 || e[1].With.All[0].ID != 2 {
		t.Errorf("events: got %+v", e)
	}
	w := NewWebhooks([]*delivery.Webhook{nil, {ID: 2}, nil, {ID: 4}})
	if w[0] != nil || w[3].Index != 1 || w[3].With.All[1].ID != 4 {
		t.Errorf("webhooks: got %+v", w)
	}
	a := NewAttempts([]*delivery.LogEntry{{ID: 1}, nil, {ID: 3, Attempt: &delivery.Attempt{Number: 2}}})
	if a[0] != nil || a[1] != nil || a[2].Index != 0 || a[2].With.All[0].ID != 3 {
		t.Errorf("attempts: got %+v; an entry without a call has none", a)
	}
	if NewDelivery(nil) != nil || NewWebhook(nil) != nil {
		t.Error("nothing became something")
	}
}

func TestEmptyValuesAreNull(t *testing.T) {
	t.Parallel()
	e := NewEvents([]*delivery.Event{{}})[0]
	a := NewAttempts([]*delivery.LogEntry{{Attempt: &delivery.Attempt{}}})[0]
	if e.Group() != nil || e.WorkspaceID() != nil || e.WorkspaceName() != nil || (Item{}).ViewURL() != nil {
		t.Error("an event or item shows what it has not")
	}
	if a.HTTPStatus() != nil || a.Error() != nil || a.RemoteAddress() != nil || a.ResponseBody() != nil {
		t.Error("an attempt shows what it has not")
	}
	if NewWebhook(&delivery.Webhook{}).DisabledReason() != nil {
		t.Error("an enabled webhook has a reason")
	}
	a = NewAttempts([]*delivery.LogEntry{{Attempt: &delivery.Attempt{
		HTTPStatus: 200, Error: "e", RemoteAddress: "r", ResponseBody: "b", Duration: 1500 * time.Microsecond,
	}}})[0]
	if *a.HTTPStatus() != 200 || *a.Error() != "e" || *a.RemoteAddress() != "r" || *a.ResponseBody() != "b" {
		t.Errorf("got %+v", a)
	}
	if got := a.DurationMs(); got != 1.5 {
		t.Errorf("the duration is %v ms, want 1.5", got)
	}
}

func TestPhasesThatDidNotHappenAreNull(t *testing.T) {
	t.Parallel()
	timing := Timing{delivery.Timing{DNS: -1, Connect: 0, TLS: -1, FirstByte: 250 * time.Microsecond, Body: -1}}
	if timing.DNSMs() != nil || timing.TLSMs() != nil || timing.BodyMs() != nil {
		t.Error("a phase that did not happen has a length")
	}
	if *timing.ConnectMs() != 0 || *timing.FirstByteMs() != 0.25 {
		t.Errorf("got %v and %v, want 0 and 0.25", *timing.ConnectMs(), *timing.FirstByteMs())
	}
}

func TestPolicyShowsDefaults(t *testing.T) {
	t.Parallel()
	p := newPolicy(delivery.Policy{})
	if p.TimeoutSeconds != 15 || p.TimeZone == "" || len(p.RetrySeconds) < 5 {
		t.Errorf("got %+v, want the defaults", p)
	}
	p = newPolicy(delivery.Policy{
		Timeout: 2500 * time.Millisecond, Retry: []time.Duration{time.Minute}, Stop4xx: true,
	})
	if p.TimeoutSeconds != 2.5 || !slices.Equal(p.RetrySeconds, []int{60}) || !p.StopOn4xx {
		t.Errorf("got %+v", p)
	}
}

func TestPreviousSecret(t *testing.T) {
	t.Parallel()
	future := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		secrets []delivery.SealedSecret
		want    time.Time
	}{
		"none":    {},
		"one":     {secrets: []delivery.SealedSecret{{Hint: "abcd"}}},
		"works":   {secrets: []delivery.SealedSecret{{Hint: "abcd"}, {ExpiresAt: future}}, want: future},
		"expired": {secrets: []delivery.SealedSecret{{Hint: "abcd"}, {ExpiresAt: time.Now().Add(-time.Hour)}}},
	} {
		w := NewWebhook(&delivery.Webhook{Secrets: tt.secrets})
		if got := w.PreviousSecretExpiresAt(); got != tt.want {
			t.Errorf("%s: until %v, want %v", name, got, tt.want)
		}
		if got := w.SecretHint(); (got == "abcd") != (len(tt.secrets) > 0) {
			t.Errorf("%s: the hint is %q", name, got)
		}
	}
}
