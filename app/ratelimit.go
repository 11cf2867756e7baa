package app

import (
	"math"
	"time"

	"portalhooks/delivery"
	"portalhooks/httpserver"
)

// Burst is how many seconds' worth of calls may come at once after a pause. For
// Portal there is a setting: it reports whole groups of devices.
const Burst = 5

// A pace says how often callers may call. What Portal's operations cost and
// what the events in them cost is counted apart: an operation that is refused
// for its events must not use up what the next one needs.
type pace struct {
	events, portal, api, unauthenticated *httpserver.Rates
}

func newPace(c *Settings) pace {
	rates := func(perSecond float64) *httpserver.Rates {
		return httpserver.NewRates(perSecond, int(math.Ceil(perSecond*Burst)))
	}
	return pace{
		events:          httpserver.NewRates(c.IngestRate, c.IngestBurst),
		portal:          rates(portalRate(c)),
		api:             rates(c.APIRate),
		unauthenticated: rates(c.AddressRate),
	}
}

// portalRate is how many operations a second Portal may make: each may bring
// one event only, and it may ask as often as others.
func portalRate(c *Settings) float64 {
	if c.IngestRate == 0 || c.APIRate == 0 {
		return 0
	}
	return max(c.IngestRate, c.APIRate)
}

// caller implements [portalhooks/graph.RateLimit]. Unauthenticated callers are
// limited by address.
func (p pace) caller(c delivery.Caller, events int) time.Duration {
	switch {
	case !c.Known():
		return 0
	case events > 0:
		return p.events.Take(c.Name, events)
	case c.Portal:
		return p.portal.Take(c.Name, 1)
	}
	return p.api.Take(c.Name, 1)
}

// address implements Throttle of [portalhooks/auth.Authenticator].
func (p pace) address(remote string) time.Duration {
	return p.unauthenticated.Take(httpserver.Address(remote), 1)
}
