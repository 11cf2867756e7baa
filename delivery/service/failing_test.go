package service

import (
	"reflect"
	"testing"
	"time"

	"portalhooks/delivery"
)

func TestEnablingAFailingWebhookRestartsItsLimit(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	c.opts.FailingLimit = time.Hour
	c.store.Change(func() {
		c.store.HealthRows[w.ID] = delivery.WebhookHealth{
			Webhook:       w.ID,
			FailingSince:  time.Now().Add(-48 * time.Hour),
			LastFailureAt: time.Now(),
			NoticedAt:     time.Now().Add(-time.Hour),
		}
	})
	if err := c.checkFailing(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.store.WebhookRows[w.ID].Status != delivery.Enabled {
		t.Error("disabled although its configuration is new")
	}
	c.store.Change(func() { c.store.WebhookRows[w.ID].Version.CreatedAt = time.Now().Add(-2 * time.Hour) })
	if err := c.checkFailing(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.store.WebhookRows[w.ID]; got.Status != delivery.Disabled ||
		got.DisabledReason != delivery.DisabledAsFailing {
		t.Errorf("still %s after failing for the whole of the limit", got.Status)
	}
}

// fail lets an attempt to a webhook fail now.
func (r *rig) fail(id delivery.WebhookID) {
	r.t.Helper()
	h := delivery.WebhookHealth{Webhook: id, LastFailureAt: delivery.Now()}
	if err := r.store.RecordHealth(r.t.Context(), []delivery.WebhookHealth{h}); err != nil {
		r.t.Fatal(err)
	}
}

// failFor lets an attempt to a webhook fail every minute.
func (r *rig) failFor(id delivery.WebhookID, d time.Duration) {
	r.t.Helper()
	for range d / time.Minute {
		time.Sleep(time.Minute)
		r.fail(id)
	}
}

// notices returns what the audit log says of failing webhooks.
func (r *rig) notices() (found []delivery.AuditEntry) {
	r.store.Change(func() {
		for _, e := range r.store.AuditRows {
			if e.Action == delivery.WebhookFailing {
				found = append(found, e)
			}
		}
	})
	return found
}

// wantNotices fails the test unless the audit log has so many.
func (r *rig) wantNotices(when string, want int) {
	r.t.Helper()
	if got := r.notices(); len(got) != want {
		r.t.Errorf("%s: %d notices, want %d: %+v", when, len(got), want, got)
	}
}

// However many servers look, and however often they are started, a notice is given
// once until the target works again or the webhook is changed.
func TestNoticeIsGivenOnceInAPeriodOfFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := Options{FailingLimit: 4 * time.Hour}
		r := newRig(t, o, nil)
		others := []*rig{rigOver(t, r.store, o, nil), rigOver(t, r.store, o, nil)}
		w := r.webhook(badURL)
		r.startPart(r.failingTask, others[0].failingTask)
		time.Sleep(time.Minute)
		r.fail(w.ID)
		r.failFor(w.ID, 110*time.Minute)
		r.wantNotices("before half time", 0)
		r.failFor(w.ID, 20*time.Minute)
		r.wantNotices("at half time", 1)
		r.startPart(others[1].failingTask)
		r.failFor(w.ID, time.Hour)
		r.wantNotices("after a restart", 1)

		works := delivery.WebhookHealth{Webhook: w.ID, LastSuccessAt: delivery.Now()}
		if err := r.store.RecordHealth(t.Context(), []delivery.WebhookHealth{works}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		r.wantNotices("while it works", 1)
		r.failFor(w.ID, 131*time.Minute)
		r.wantNotices("when it fails again", 2)
		r.store.Change(func() { r.store.WebhookRows[w.ID].Version.CreatedAt = delivery.Now() })
		r.failFor(w.ID, 130*time.Minute)
		r.wantNotices("after a change that mends nothing", 3)
		if got := r.counted("webhooks_failing_total") + others[0].counted("webhooks_failing_total") +
			others[1].counted("webhooks_failing_total"); got != 3 {
			t.Errorf("%g notices are counted, want 3", got)
		}
		if w := r.current(w.ID); w.Status != delivery.Enabled {
			t.Error("disabled before its time")
		}
		r.failFor(w.ID, 2*time.Hour)
		if w := r.current(w.ID); w.Status != delivery.Disabled {
			t.Error("not disabled when it was due")
		}
		r.wantNotices("after it was disabled", 3)
	})
}

// One failed attempt and quiet weeks after it disable nothing. A failure after
// that brings the notice, and those two days later disable.
func TestAWebhookThatFailedOnceIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(badURL)
		check := func(when string, notices int, want delivery.WebhookStatus) {
			t.Helper()
			if err := r.checkFailing(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.wantNotices(when, notices)
			if got := r.current(w.ID).Status; got != want {
				t.Errorf("%s: it is %s, want %s", when, got, want)
			}
		}
		r.fail(w.ID)
		for range 20 {
			time.Sleep(24 * time.Hour)
			check("after one failure", 0, delivery.Enabled)
		}
		r.fail(w.ID)
		check("after the second", 1, delivery.Enabled)
		health, err := r.WebhookHealth(t.Context(), adminOf(w.Org), []*delivery.Webhook{&w})
		if want := delivery.Now().Add(48 * time.Hour); err != nil || !health[0].DisablesAt.Equal(want) {
			t.Errorf("it will be disabled at %s, %v, want %s", health[0].DisablesAt, err, want)
		}
		time.Sleep(47 * time.Hour)
		r.fail(w.ID)
		time.Sleep(24 * time.Hour)
		check("within two days of the notice", 1, delivery.Enabled)
		r.fail(w.ID)
		check("when failures have gone on", 1, delivery.Disabled)
	})
}

func TestNoticeSaysSinceWhenAndUntilWhen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(badURL)
		time.Sleep(time.Hour)
		r.fail(w.ID)
		since := delivery.Now()
		time.Sleep(60*time.Hour + time.Second)
		r.fail(w.ID)
		if err := r.checkFailing(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := r.notices()
		if len(all) != 1 {
			t.Fatalf("%d notices, want one", len(all))
		}
		e, due := all[0], since.Add(5*24*time.Hour)
		if e.Org != w.Org || e.Actor.Kind != delivery.BySystem || e.Object.ID != w.ID.String() {
			t.Errorf("the notice is about %s by %s in %s", e.Object.ID, e.Actor.Kind, e.Org)
		}
		want := []delivery.Change{
			{Field: "failingSince", After: []byte(`"` + delivery.FormatTime(since) + `"`)},
			{Field: "disablesAt", After: []byte(`"` + delivery.FormatTime(due) + `"`)},
		}
		if !reflect.DeepEqual(e.Changes, want) {
			t.Errorf("changes %s, want %s", e.Changes, want)
		}
	})
}

func TestDisablesAt(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	c.opts.FailingLimit = time.Hour
	failing, made := delivery.Now().Add(-time.Minute), delivery.Now()
	for name, tt := range map[string]struct {
		since  time.Time
		change func(*delivery.Webhook)
		want   time.Time
	}{
		"it works":                      {time.Time{}, func(*delivery.Webhook) {}, time.Time{}},
		"it fails":                      {made, func(w *delivery.Webhook) { w.Version.CreatedAt = failing }, made.Add(time.Hour)},
		"it was changed meanwhile":      {failing, func(w *delivery.Webhook) { w.Version.CreatedAt = made }, made.Add(time.Hour)},
		"it is disabled":                {failing, func(w *delivery.Webhook) { w.Status = delivery.Disabled }, time.Time{}},
		"it is disabled but holds back": {failing, func(w *delivery.Webhook) { w.Status, w.Holding = delivery.Disabled, true }, time.Time{}},
		"it is deleted":                 {failing, func(w *delivery.Webhook) { w.Version.Deleted = true }, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.store.Change(
				func() { c.store.HealthRows[w.ID] = delivery.WebhookHealth{Webhook: w.ID, FailingSince: tt.since} },
			)
			changed := *w
			tt.change(&changed)
			got, err := c.WebhookHealth(t.Context(), c.admin, []*delivery.Webhook{&changed})
			if err != nil || !got[0].DisablesAt.Equal(tt.want) {
				t.Errorf("%s, %v, want %s", got[0].DisablesAt, err, tt.want)
			}
		})
	}
}
