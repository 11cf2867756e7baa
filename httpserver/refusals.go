package httpserver

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Reason says why a request or a connection was refused.
type Reason string

// The reasons.
const (
	BadCredentials Reason = "credentials" // they are wrong, expired or revoked
	TooOften       Reason = "rate"        // more than the caller's rate or its address's
	Overload       Reason = "overload"    // more than the server or the caller's share has room for
	Crowded        Reason = "connections" // closed, as there were too many
	NoFile         Reason = "files"       // the system lets the server open no more
)

// logEvery is the pause between two lines about refusals for one reason.
const logEvery = 10 * time.Second

// Refusals counts what the server refuses, and logs some of it: the first of each
// reason, and then one line for all in ten seconds. A nil Refusals does nothing.
type Refusals struct {
	log     *slog.Logger
	counter *prometheus.CounterVec

	mu     sync.Mutex
	silent map[Reason]*silence
}

// A silence is the time since a line about a reason.
type silence struct {
	since time.Time
	count int // refused meanwhile, without a line
}

// NewRefusals returns Refusals with its metric in registry.
func NewRefusals(registry prometheus.Registerer, log *slog.Logger) *Refusals {
	r := &Refusals{
		log: log, silent: make(map[Reason]*silence),
		counter: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portalhooks_refused_total",
			Help: "Requests and connections that were refused, by reason.",
		}, []string{"reason"}),
	}
	registry.MustRegister(r.counter)
	for _, reason := range []Reason{BadCredentials, TooOften, Overload, Crowded, NoFile} {
		r.counter.WithLabelValues(string(reason))
	}
	return r
}

// Note counts a refusal of what came from an address.
func (r *Refusals) Note(reason Reason, address string) {
	if r == nil {
		return
	}
	r.counter.WithLabelValues(string(reason)).Inc()
	now := time.Now()
	r.mu.Lock()
	s := r.silent[reason]
	if s != nil && now.Sub(s.since) < logEvery {
		s.count++
		r.mu.Unlock()
		return
	}
	unlogged := 0
	if s != nil {
		unlogged = s.count
	}
	r.silent[reason] = &silence{since: now}
	r.mu.Unlock()
	r.log.Warn("refused", "reason", string(reason), "address", address, "unlogged", unlogged)
}
