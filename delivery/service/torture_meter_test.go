package service

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/loop"
)

// A meter stands for the receivers of a great many calls: it remembers when
// each began and how many were in flight, and nothing else.
type meter struct {
	answer func(ctx context.Context, url string) egress.Result

	mu    sync.Mutex
	calls []metered
	now   map[string]int // in flight, by URL
	times map[string]int // that a delivery was accepted, by its id
}

type metered struct {
	at, end time.Time
	url, id string
	ok      bool
	beside  int // calls to the same URL in flight, this one included
}

// measured lets r send its calls to a new meter.
func (r *rig) measured(answer func(ctx context.Context, url string) egress.Result) *meter {
	m := &meter{answer: answer, now: make(map[string]int), times: make(map[string]int)}
	r.post = m.post
	return m
}

func (m *meter) post(ctx context.Context, q egress.Request) egress.Result {
	began, id := time.Now(), q.Header.Get("Webhook-Id")
	m.mu.Lock()
	m.now[q.URL]++
	n := len(m.calls)
	m.calls = append(m.calls, metered{at: began, url: q.URL, id: id, beside: m.now[q.URL]})
	m.mu.Unlock()
	call, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	result := m.answer(call, q.URL)
	if ctx.Err() != nil {
		result = egress.Result{Outcome: egress.Canceled, Err: "The call was canceled."}
	}
	result.Started, result.Duration = began, time.Since(began)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now[q.URL]--
	m.calls[n].end, m.calls[n].ok = time.Now(), result.Outcome == egress.Success
	if result.Outcome == egress.Success {
		m.times[id]++
	}
	return result
}

// to returns the calls of one URL that began at or after a time.
func (m *meter) to(url string, since time.Time) []metered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.calls), func(c metered) bool {
		return c.url != url || c.at.Before(since)
	})
}

// most returns how many calls were in flight beside each other at the most.
func most(calls []metered) (n int) {
	for _, c := range calls {
		n = max(n, c.beside)
	}
	return n
}

// busiest returns the calls that began in the busiest second, and on average in
// a second in which any did.
func busiest(calls []metered) (peak int, mean float64) {
	seconds := make(map[int64]int)
	for _, c := range calls {
		second := int64(c.at.Sub(calls[0].at) / time.Second)
		seconds[second]++
		peak = max(peak, seconds[second])
	}
	return peak, float64(len(calls)) / float64(max(1, len(seconds)))
}

// answered answers after a while.
func answered(ctx context.Context, after time.Duration, status int) egress.Result {
	if !loop.Sleep(ctx, after) {
		return egress.Result{Outcome: egress.Timeout, Err: "The call did not finish."}
	}
	if status >= http.StatusMultipleChoices {
		return egress.Result{Outcome: egress.HTTPError, Status: status, Err: "It failed."}
	}
	return egress.Result{Outcome: egress.Success, Status: status}
}

// inUse returns how much memory is in use when what is not needed is gone.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what the first has found finalizers for
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// as does something for another organization.
func (r *rig) as(org delivery.Organization, do func()) {
	mine := r.org
	r.org = org
	defer func() { r.org = mine }()
	do()
}

// organization adds one.
func (r *rig) organization(id delivery.OrgID, name string) delivery.Organization {
	org := delivery.Organization{ID: id, ExternalID: name, Name: name, ConfigVersion: 1}
	r.store.Change(func() { r.store.OrgRows = append(r.store.OrgRows, org) })
	return org
}
