package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/pipeline"
)

func TestRedeliverSendsANewDelivery(t *testing.T) {
	for mode, wantSame := range map[RedeliverMode]bool{SameMessage: true, CurrentVersion: false} {
		t.Run(string(mode), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Options{}, nil)
				w := r.webhook(okURL, func(w *delivery.Webhook) { w.Version.Template = `{"text":"old"}` })
				r.start()
				id := r.ingest(1, w)[0]
				synctest.Wait()
				changed := r.current(w.ID)
				changed.Version.ID, changed.Version.Number = delivery.VersionID(r.ids.Next()), 2
				changed.Version.Template = `{"text":"new"}`
				if err := r.store.UpdateWebhook(t.Context(), changed, 1, delivery.AuditEntry{}); err != nil {
					t.Fatal(err)
				}

				made, err := r.Redeliver(t.Context(), operator, []delivery.DeliveryID{id}, mode)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				d := made[0]
				if d.ID == id || d.RedeliveryOf != id || d.Trigger != delivery.ByRedelivery ||
					d.State != delivery.Queued {
					t.Errorf("made %+v, want a new delivery of %s", d, id)
				}
				calls := r.sent()
				if len(calls) != 2 || calls[1].id != d.ID.String() || calls[1].attempt != 1 {
					t.Fatalf("calls %+v, want a second one for %s", calls, d.ID)
				}
				if same := calls[0].body == calls[1].body; same != wantSame {
					t.Errorf("the same message: %v, want %v", same, wantSame)
				}
			})
		})
	}
}

func TestRedeliverRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		off := r.webhook(badURL)
		r.start()
		id, offID := r.ingest(1, w)[0], r.ingest(1, off)[0]
		synctest.Wait()
		r.store.Change(func() { r.store.WebhookRows[off.ID].Status = delivery.Disabled })
		many := make([]delivery.DeliveryID, 101)
		for name, tt := range map[string]struct {
			caller delivery.Caller
			ids    []delivery.DeliveryID
			mode   RedeliverMode
			want   delivery.Code
		}{
			"nothing":              {admin, nil, SameMessage, delivery.Required},
			"too many":             {admin, many, SameMessage, delivery.LimitExceeded},
			"twice the same":       {admin, []delivery.DeliveryID{id, id}, SameMessage, delivery.Invalid},
			"no mode":              {admin, []delivery.DeliveryID{id}, "", delivery.Invalid},
			"what doesn't exist":   {admin, []delivery.DeliveryID{id, 12345}, SameMessage, delivery.NotFound},
			"another organization": {otherAdmin, []delivery.DeliveryID{id}, SameMessage, delivery.NotFound},
			"a viewer":             {viewer, []delivery.DeliveryID{id}, SameMessage, delivery.Forbidden},
			"unauthenticated":      {delivery.Caller{}, []delivery.DeliveryID{id}, SameMessage, delivery.Unauthenticated},
			"a disabled webhook":   {admin, []delivery.DeliveryID{id, offID}, SameMessage, delivery.Conflict},
		} {
			if _, err := r.Redeliver(t.Context(), tt.caller, tt.ids, tt.mode); delivery.CodeOf(err) != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		time.Sleep(time.Minute)
		if n := len(r.sent()); n != 2 {
			t.Errorf("%d calls, want those of the two events only", n)
		}
	})
}

func TestDeliveriesAreReadByWhoMaySeeThem(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{badURL: status(500)})
		w := r.webhook(badURL)
		r.start()
		id := r.ingest(1, w)[0]
		time.Sleep(10 * time.Second)
		ctx := t.Context()
		for name, tt := range map[string]struct {
			caller delivery.Caller
			sees   bool
		}{
			"viewer": {viewer, true}, "operator": {operator, true},
			"another organization's admin": {otherAdmin, false},
		} {
			found, err := r.DeliveriesByID(ctx, tt.caller, []delivery.DeliveryID{77, id})
			if err != nil || found[0] != nil || (found[1] != nil) != tt.sees {
				t.Fatalf("%s: %v, %v", name, found, err)
			}
			known := []*delivery.Delivery{{
				ID: id, Org: 1, Webhook: w.ID, Version: w.Version.ID,
				Event: r.entries(id)[0].Delivery.Event,
			}, nil}
			attempts, err := r.Attempts(ctx, tt.caller, known)
			if err != nil || (len(attempts[0]) == 2) != tt.sees || len(attempts[1]) != 0 {
				t.Errorf("%s: attempts %v, %v", name, attempts, err)
			}
			messages, err := r.Messages(ctx, tt.caller, known)
			if err != nil || (messages[0] == r.sent()[0].body) != tt.sees {
				t.Errorf("%s: messages %q, %v", name, messages, err)
			}
			requests, err := r.Requests(ctx, tt.caller, known)
			if err != nil || (requests[0] != nil) != tt.sees {
				t.Errorf("%s: requests %v, %v", name, requests, err)
			}
			entry := r.entries(id)[0]
			entries, err := r.EntriesByID(ctx, tt.caller, []delivery.LogID{entry.ID})
			if err != nil || (entries[0] != nil) != tt.sees {
				t.Errorf("%s: entries %v, %v", name, entries, err)
			}
			headers, err := r.AttemptHeaders(ctx, tt.caller, []*delivery.LogEntry{&entry, nil})
			if err != nil || (len(headers[0]) > 0) != tt.sees {
				t.Errorf("%s: headers %v, %v", name, headers, err)
			}
			_, err = r.Deliveries(ctx, tt.caller, 1, delivery.DeliveryFilter{}, delivery.Page{})
			if (err == nil) != tt.sees {
				t.Errorf("%s: deliveries: %v", name, err)
			}
		}
		if _, err := r.Deliveries(ctx, viewer, 0, delivery.DeliveryFilter{}, delivery.Page{}); delivery.CodeOf(
			err,
		) != delivery.Forbidden {
			t.Errorf("everybody's deliveries for a viewer: %v, want FORBIDDEN", err)
		}
		if _, err := r.Deliveries(ctx, operator, 0, delivery.DeliveryFilter{},
			delivery.Page{First: 101}); delivery.CodeOf(
			err,
		) != delivery.Invalid {
			t.Errorf("a page of 101: %v, want INVALID", err)
		}
	})
}

// What a shell makes of the command is the request.
func TestTheCurlCommandIsQuoted(t *testing.T) {
	message := "{\"a\":\"it's $HOME `id` \\\\ \n #x\"}"
	p := preview(
		"https://a.example/?x='$(id)'&y=1",
		[]delivery.Header{{Name: "X-A", Value: `"quoted" 'twice'`}},
		message,
	)
	script := `curl() { for a; do printf '%s\0' "$a"; done; }` + "\n" + p.Curl
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	want := []string{"-X", "POST", p.URL, "-H", `X-A: "quoted" 'twice'`, "--data-binary", message}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the shell reads %q, want %q", got, want)
	}
}

// The headers that are shown for an attempt are those of its time, secrets
// masked.
func TestAttemptHeadersAreThoseOfTheTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL, func(w *delivery.Webhook) {
			w.Version.Headers = []delivery.StoredHeader{
				{Name: "X-Tier", Value: "one"},
				{Name: "Authorization", Sealed: r.opts.Keyring.Seal([]byte("hush"), delivery.FieldAAD(1, w.ID,
					delivery.HeaderField("Authorization")))},
			}
		})
		r.start()
		id := r.ingest(1, w)[0]
		time.Sleep(time.Second)
		changed := r.current(w.ID)
		changed.Version.ID, changed.Version.Number = delivery.VersionID(r.ids.Next()), 2
		changed.Version.Headers, changed.Version.CreatedAt = []delivery.StoredHeader{
			{Name: "X-Tier", Value: "two"},
		}, delivery.Now()
		if err := r.store.UpdateWebhook(t.Context(), changed, 1, delivery.AuditEntry{}); err != nil {
			t.Fatal(err)
		}
		if got := r.sent()[0].header.Get("Authorization"); got != "hush" {
			t.Errorf("sent Authorization %q, want the secret", got)
		}
		entry := r.entries(id)[0]
		headers, err := r.AttemptHeaders(t.Context(), viewer, []*delivery.LogEntry{&entry})
		if err != nil {
			t.Fatal(err)
		}
		shown := make(map[string]string)
		for _, h := range headers[0] {
			shown[h.Name] = h.Value
			if h.Secret && h.Value != delivery.Mask {
				t.Errorf("%s shows its secret", h.Name)
			}
		}
		for name, want := range map[string]string{
			"X-Tier": "one", "Authorization": delivery.Mask, "Webhook-Signature": delivery.Mask, "Webhook-Attempt": "1",
			"Webhook-Id": id.String(), "Content-Type": pipeline.ContentType,
			"Webhook-Timestamp": r.sent()[0].header.Get("Webhook-Timestamp"),
		} {
			if shown[name] != want {
				t.Errorf("%s: %q, want %q", name, shown[name], want)
			}
		}
	})
}

func TestATestOfASavedWebhookIsRecorded(t *testing.T) {
	for code, want := range map[int]delivery.State{200: delivery.Delivered, 503: delivery.Failed} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Options{}, answers{badURL: status(code)})
			w := r.webhook(badURL, func(w *delivery.Webhook) { w.Status = delivery.Disabled })
			r.start()
			got, err := r.TestWebhook(t.Context(), admin, TestInput{Webhook: w.ID})
			if err != nil {
				t.Fatal(err)
			}
			calls := r.sent()
			if len(calls) != 1 || calls[0].body != got.Message || calls[0].id != got.Delivery.ID.String() {
				t.Errorf("calls %+v, want one with the message of the result", calls)
			}
			if got.Delivery.State != want || got.Delivery.Trigger != delivery.ByTest ||
				got.Entry.Attempt.HTTPStatus != code ||
				got.Entry.ID == 0 ||
				!strings.Contains(got.Request.Curl, "--data-binary") {
				t.Errorf("result %+v, want a test that is %s", got, want)
			}
			if log := r.entries(got.Delivery.ID); len(log) != 1 {
				t.Errorf("log %+v, want one entry", log)
			}
			r.store.Change(func() {
				if e := r.store.EventRows[got.Delivery.Event]; !e.Test {
					t.Errorf("event %+v, want one that is marked as a test", e)
				}
			})
			time.Sleep(time.Hour)
			if n := len(r.sent()); n != 1 {
				t.Errorf("%d calls: a test is never repeated", n)
			}
		})
	}
}

func TestATestOfADraftLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.start()
		secret := "hush"
		source := `{"hook":"#webhook_name","type":"#event_type"}`
		got, err := r.TestWebhook(t.Context(), admin, TestInput{Draft: &CreateWebhookInput{
			OrganizationID: "acme", Name: "Draft", Type: delivery.ActiveAlert, TargetURL: okURL, Template: &source,
			Selection: SelectionInput{All: true}, Headers: []HeaderInput{{
				Name: "X-Key", Value: &secret,
				Secret: true,
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got.Delivery != nil || got.Entry.Attempt.HTTPStatus != 200 {
			t.Errorf("result %+v, want an attempt alone", got)
		}
		calls := r.sent()
		if len(calls) != 1 || calls[0].header.Get("X-Key") != secret ||
			calls[0].body != `{"hook":"Draft","type":"Active alert"}` {
			t.Errorf("calls %+v, want the draft's message and header", calls)
		}
		if strings.Contains(got.Request.Curl, secret) {
			t.Error("the command shows a secret")
		}
		r.store.Change(func() {
			if len(r.store.LogRows) != 0 || len(r.store.WebhookRows) != 0 || len(r.store.EventRows) != 0 {
				t.Error("something of the draft was stored")
			}
		})
	})
}

func TestTestWebhookRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		draft := &CreateWebhookInput{
			OrganizationID: "acme", Name: "D", Type: delivery.ActiveAlert, TargetURL: "https://127.0.0.1/",
			Selection: SelectionInput{All: true},
		}
		other := r.event()
		other.Event.Type = delivery.ObjectCreated
		r.store.Change(func() { r.store.Add(delivery.Owner{}, 0, 1, other) })
		for name, tt := range map[string]struct {
			caller delivery.Caller
			in     TestInput
			want   delivery.Code
		}{
			"nothing":                {admin, TestInput{}, delivery.Required},
			"both":                   {admin, TestInput{Webhook: w.ID, Draft: draft}, delivery.Invalid},
			"a viewer":               {viewer, TestInput{Webhook: w.ID}, delivery.Forbidden},
			"an operator":            {operator, TestInput{Webhook: w.ID}, delivery.Forbidden},
			"another's admin":        {otherAdmin, TestInput{Webhook: w.ID}, delivery.NotFound},
			"a viewer's draft":       {viewer, TestInput{Draft: draft}, delivery.Forbidden},
			"a forbidden address":    {admin, TestInput{Draft: draft}, delivery.URLForbidden},
			"no such webhook":        {admin, TestInput{Webhook: 99}, delivery.NotFound},
			"no such event":          {admin, TestInput{Webhook: w.ID, Event: 99}, delivery.NotFound},
			"an event of other type": {admin, TestInput{Webhook: w.ID, Event: other.Event.ID}, delivery.Invalid},
		} {
			if _, err := r.TestWebhook(t.Context(), tt.caller, tt.in); delivery.CodeOf(err) != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		if n := len(r.sent()); n != 0 {
			t.Errorf("%d calls, want none", n)
		}
	})
}

// Each organization may make four tests at once, and the server sixteen.
func TestTestsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{hangURL: slow(10 * time.Second)})
		test := func(w delivery.Webhook) error {
			_, err := r.TestWebhook(t.Context(), adminOf(w.Org), TestInput{Webhook: w.ID})
			return err
		}
		webhooks := []delivery.Webhook{r.webhook(hangURL)}
		for id := range delivery.OrgID(maxTests / maxOrgTests) {
			r.as(r.organization(id+2, fmt.Sprint("other-", id)), func() {
				webhooks = append(webhooks, r.webhook(hangURL))
			})
		}
		r.start()
		for i, w := range webhooks[:maxTests/maxOrgTests] {
			if i > 0 {
				if err := test(webhooks[0]); delivery.CodeOf(err) != delivery.Unavailable {
					t.Errorf("a fifth test of the first organization: %v, want UNAVAILABLE", err)
				}
			}
			for range maxOrgTests {
				go func() {
					if err := test(w); err != nil {
						t.Errorf("organization %d: %v", w.Org, err)
					}
				}()
			}
			time.Sleep(time.Second)
		}
		if err := test(webhooks[len(webhooks)-1]); delivery.CodeOf(err) != delivery.Unavailable {
			t.Errorf("one test more: %v, want UNAVAILABLE", err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if len(r.tests.orgs) != 0 || r.tests.all != 0 {
			t.Errorf("%d tests are still counted", r.tests.all)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := r.TestWebhook(gone, admin, TestInput{Webhook: webhooks[0].ID})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v, want Canceled", err)
		}
	})
}
