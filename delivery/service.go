package delivery

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/seal"
)

// Options tune a Service. Owner, Keyring and Registry must be set; the zero
// value of everything else is ready for production.
type Options struct {
	Owner    Owner                 // this process's place among those that share the store
	Keyring  *seal.Keyring         // seals secrets at rest
	Registry prometheus.Registerer // takes the metrics
	Egress   egress.Policy         // where webhooks may be sent to
	ViewURLs map[ItemKind]string   // for items without one of their own: a URL with {id} in it
	Workers  int                   // attempts in flight at once; 64 if zero
	PerHook  int                   // attempts in flight at once for one webhook; 8 if zero
	Memory   int                   // deliveries kept in memory at once; 4096 if zero
	Poll     time.Duration         // pause after an empty claim; 1 s if zero
	// Retention is how long events and finished deliveries are kept; 30 days if
	// zero.
	Retention time.Duration
	// FailingLimit is how long a webhook may do nothing but fail before it is
	// disabled; 5 days if zero.
	FailingLimit time.Duration
	// Drain is how long Run waits, when it is told to stop, for attempts in
	// flight; MaxTimeout and a little if zero.
	Drain   time.Duration
	Version string // of the program, for the User-Agent header
	Logger  *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Workers = cmp.Or(o.Workers, 64)
	o.PerHook = cmp.Or(o.PerHook, 8)
	o.Memory = cmp.Or(o.Memory, 4096)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Retention = cmp.Or(o.Retention, 30*24*time.Hour)
	o.FailingLimit = cmp.Or(o.FailingLimit, 5*24*time.Hour)
	o.Drain = cmp.Or(o.Drain, MaxTimeout+2*time.Second)
	o.Version = cmp.Or(o.Version, "dev")
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}
