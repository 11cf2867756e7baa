package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/loop"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/seal"
)

// A rig is a service over a store in memory, whose calls go to a function
// instead of the network. It is made inside of a bubble of synctest.
type rig struct {
	*Service
	t     testing.TB
	store *memstore.Faulty
	org   delivery.Organization

	registry *prometheus.Registry
	post     func(context.Context, egress.Request) egress.Result // what receives the calls

	mu    sync.Mutex
	calls []sentCall
	next  int // number of the next event
}

// A sentCall is a call as the receiver sees it.
type sentCall struct {
	at       time.Time
	url      string
	id       string
	attempt  int
	header   http.Header
	body     string
	answered bool
}

// answers are what receivers do, by URL; others answer 200.
type answers map[string]func(ctx context.Context, n int) egress.Result

// bubble runs a test in virtual time, at a time that ids can tell.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
		test(t)
	})
}

var rigOwner = delivery.Owner{Slot: 0, Epoch: 1}

// newRig returns a rig with one organization.
func newRig(t testing.TB, o Options, a answers) *rig {
	t.Helper()
	store := memstore.NewFaulty()
	store.OrgRows = []delivery.Organization{{ID: 1, ExternalID: "acme", Name: "Acme", ConfigVersion: 1}}
	return rigOver(t, store, o, a)
}

// rigOver returns a rig over a store that is there already.
func rigOver(t testing.TB, store *memstore.Faulty, o Options, a answers) *rig {
	t.Helper()
	if o.Owner == (delivery.Owner{}) {
		o.Owner = rigOwner
	}
	registry := prometheus.NewRegistry()
	o.Registry = registry
	if o.Keyring == nil {
		o.Keyring = rigKeyring(t)
	}
	o.Logger = slog.New(slog.DiscardHandler)
	store.Change(func() {
		store.MemberRows[o.Owner.Slot] = &memstore.Member{
			Member: delivery.Member{Owner: o.Owner}, Until: time.Now().Add(delivery.SlotTTL),
		}
	})
	r := &rig{t: t, store: store, org: store.OrgRows[0], registry: registry}
	r.post = func(ctx context.Context, q egress.Request) egress.Result { return r.receive(ctx, q, a) }
	o.Post = func(ctx context.Context, q egress.Request) egress.Result { return r.post(ctx, q) }
	r.Service = New(store, o)
	return r
}

// rigKeyring returns the same keyring every time, so that one rig can open what
// another has sealed.
func rigKeyring(t testing.TB) *seal.Keyring {
	t.Helper()
	key, err := seal.NewKey("test", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := seal.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func (r *rig) receive(ctx context.Context, q egress.Request, a answers) egress.Result {
	attempt, _ := strconv.Atoi(q.Header.Get("Webhook-Attempt"))
	started := time.Now()
	r.mu.Lock()
	n := len(r.calls)
	r.calls = append(r.calls, sentCall{
		at: started, url: q.URL, id: q.Header.Get("Webhook-Id"), attempt: attempt,
		header: q.Header.Clone(), body: string(q.Body),
	})
	r.mu.Unlock()
	result := egress.Result{Outcome: egress.Success, Status: 200}
	if answer := a[q.URL]; answer != nil {
		call, cancel := context.WithTimeout(ctx, q.Timeout)
		defer cancel()
		result = answer(call, n)
		if ctx.Err() != nil {
			result = egress.Result{Outcome: egress.Canceled, Err: "The call was canceled."}
		}
	}
	result.Started, result.Duration = started, time.Since(started)
	r.mu.Lock()
	r.calls[n].answered = result.Outcome == egress.Success
	r.mu.Unlock()
	return result
}

func status(code int) func(context.Context, int) egress.Result {
	return func(context.Context, int) egress.Result {
		outcome := egress.HTTPError
		if code < 300 {
			outcome = egress.Success
		}
		return egress.Result{Outcome: outcome, Status: code, Err: "It answered " + strconv.Itoa(code) + "."}
	}
}

// slow answers 200 after a while.
func slow(d time.Duration) func(context.Context, int) egress.Result {
	return func(ctx context.Context, _ int) egress.Result {
		if !loop.Sleep(ctx, d) {
			return egress.Result{Outcome: egress.Timeout, Err: "The call did not finish."}
		}
		return egress.Result{Outcome: egress.Success, Status: 200}
	}
}

func (r *rig) sent() []sentCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// start runs the service and returns what stops it and waits for its end.
func (r *rig) start() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = <-ended
		})
		return err
	}
	r.t.Cleanup(func() {
		if err := stop(); err != nil && !errors.Is(err, errSlotLost) {
			r.t.Errorf("Run: %v", err)
		}
	})
	return stop
}

// startPart runs some loops only, and stops them one after the other.
func (r *rig) startPart(loops ...func(context.Context) error) {
	for _, loop := range slices.Backward(loops) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- loop(ctx) }()
		r.t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				r.t.Errorf("Run: %v", err)
			}
		})
	}
}

// webhook stores a webhook that listens to all alerts.
func (r *rig) webhook(url string, change ...func(*delivery.Webhook)) delivery.Webhook {
	r.t.Helper()
	at := delivery.Now()
	info, _ := delivery.TypeInfoOf(delivery.ActiveAlert)
	w := delivery.Webhook{
		ID: delivery.WebhookID(r.ids.Next()), Org: r.org.ID, Name: "To " + url, Status: delivery.Enabled,
		CreatedAt: at, UpdatedAt: at,
	}
	secret, _, err := r.newSecret(w.Org, w.ID, at)
	if err != nil {
		r.t.Fatal(err)
	}
	w.Secrets = []delivery.SealedSecret{secret}
	w.Version = delivery.WebhookVersion{
		ID: delivery.VersionID(
			r.ids.Next(),
		), Org: w.Org, Webhook: w.ID, Number: 1, Name: w.Name, Type: delivery.ActiveAlert,
		Target: url, Selection: delivery.Selection{All: true}, Template: info.DefaultTemplate,
		Listening: true, CreatedAt: at,
	}
	for _, c := range change {
		c(&w)
	}
	if err := r.store.CreateWebhook(context.Background(), w, delivery.AuditEntry{}); err != nil {
		r.t.Fatal(err)
	}
	return w
}

// event returns a new event with one delivery for each webhook.
func (r *rig) event(webhooks ...delivery.Webhook) delivery.NewEvent {
	r.mu.Lock()
	r.next++
	n := r.next
	r.mu.Unlock()
	kind := delivery.ActiveAlert
	if len(webhooks) > 0 {
		kind = webhooks[0].Version.Type
	}
	e := delivery.SampleEvent(kind, r.org, time.Now())
	e.ID, e.Test, e.ItemName = delivery.EventID(r.ids.Next()), false, "Disk full"
	e.ReceivedAt = delivery.IDTime(e.ID)
	made := delivery.NewEvent{Event: e, Key: fmt.Sprintf("%d-%d", r.opts.Owner.Epoch, n)}
	for _, w := range webhooks {
		d := delivery.Delivery{
			ID: delivery.DeliveryID(r.ids.Next()), Org: w.Org, Webhook: w.ID, Version: w.Version.ID, Event: e.ID,
			Type: e.Type, Trigger: delivery.ByEvent, State: delivery.Queued,
		}
		if w.Status == delivery.Disabled {
			d.State = delivery.Held
		}
		made.Deliveries = append(made.Deliveries, d)
	}
	return made
}

// ingest stores n events as ingest does, and returns the deliveries' ids.
func (r *rig) ingest(n int, webhooks ...delivery.Webhook) []delivery.DeliveryID {
	r.t.Helper()
	unit := delivery.Ingest{Org: r.org.ID}
	r.store.Change(func() { unit.ConfigVersion = r.store.Org(r.org.ID).ConfigVersion })
	var ids []delivery.DeliveryID
	for range n {
		e := r.event(webhooks...)
		for _, d := range e.Deliveries {
			ids = append(ids, d.ID)
		}
		unit.Events = append(unit.Events, e)
	}
	answers, err := r.pipeline.Ingester.Enqueue(context.Background(), []delivery.Ingest{unit})
	if err != nil || answers[0].Stale {
		r.t.Fatalf("ingest: %v, %+v", err, answers)
	}
	return ids
}

// queued stores n events whose deliveries are due and not leased, as an earlier
// server leaves them.
func (r *rig) queued(n int, webhooks ...delivery.Webhook) []delivery.DeliveryID {
	var ids []delivery.DeliveryID
	for range n {
		e := r.event(webhooks...)
		r.store.Change(func() { r.store.Add(delivery.Owner{}, 0, r.org.ID, e) })
		for _, d := range e.Deliveries {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// states counts the deliveries by state, pending ones included.
func (r *rig) states() map[delivery.State]int {
	counts := make(map[delivery.State]int)
	r.store.Change(func() {
		for _, d := range r.store.AllDeliveries() {
			counts[d.State]++
		}
	})
	return counts
}

func (r *rig) wantStates(want map[delivery.State]int) {
	r.t.Helper()
	if got := r.states(); !maps.Equal(got, want) {
		r.t.Errorf("deliveries are %v, want %v", got, want)
	}
}

// entries returns the log of one delivery.
func (r *rig) entries(id delivery.DeliveryID) []delivery.LogEntry {
	log, err := r.store.Entries(r.t.Context(), 0, []delivery.DeliveryID{id})
	if err != nil {
		r.t.Fatal(err)
	}
	return log[id]
}

// current returns a webhook as it is stored.
func (r *rig) current(id delivery.WebhookID) (w delivery.Webhook) {
	r.store.Change(func() { w = *r.store.WebhookRows[id] })
	return w
}

// change gives a webhook another version, as another server does.
func (r *rig) change(id delivery.WebhookID, change func(now *delivery.Webhook)) {
	r.t.Helper()
	now := r.current(id)
	number := now.Version.Number
	now.Version.ID, now.Version.Number = delivery.VersionID(r.ids.Next()), number+1
	change(&now)
	if err := r.store.UpdateWebhook(context.Background(), now, number); err != nil {
		r.t.Fatal(err)
	}
}

// counted returns the sum of a metric over all its labels.
func (r *rig) counted(name string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "portalhooks_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// sentOnce reports deliveries that were sent twice or not at all.
func (r *rig) sentOnce(ids []delivery.DeliveryID, calls ...[]sentCall) {
	r.t.Helper()
	count := make(map[string]int)
	for _, list := range calls {
		for _, c := range list {
			count[c.id]++
		}
	}
	for _, id := range ids {
		if n := count[id.String()]; n != 1 {
			r.t.Errorf("%s was sent %d times, want once", id, n)
		}
	}
}

const okURL, badURL, hangURL = "https://ok.example/in", "https://bad.example/in", "https://hang.example/in"

// poisonous answers what a database may refuse.
func poisonous(context.Context, int) egress.Result {
	return egress.Result{Outcome: egress.Success, Status: 202, Body: []byte("poison"), BodyBytes: 6}
}
