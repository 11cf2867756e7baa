package app

import (
	"math"
	"time"

	"portalhooks/delivery"
	"portalhooks/httpserver"
)

// Burst is the size of a burst, in seconds of the rate limit. Portal's is a setting,
// because it reports whole groups of devices.
const Burst = 5

// A pace holds the rate limits of callers. Portal's operations and the events in
// them are limited separately: an operation that is refused for its events must not
// use up the limit of the next one. The callers of one organization share a limit,
// however many keys it has.
type pace struct {
	events, portal, api, unauthenticated *httpserver.Rates
	refusals                             *httpserver.Refusals
}

func newPace(c *Settings, refusals *httpserver.Refusals) pace {
	rates := func(perSecond float64) *httpserver.Rates {
		return httpserver.NewRates(perSecond, int(math.Ceil(perSecond*Burst)))
	}
	return pace{
		events:          httpserver.NewRates(c.IngestRate, c.IngestBurst),
		portal:          rates(portalRate(c)),
		api:             rates(c.APIRate),
		unauthenticated: rates(c.AddressRate),
		refusals:        refusals,
	}
}

// portalRate is the number of operations per second that Portal may make: as many
// as others, and enough to submit each event by itself.
func portalRate(c *Settings) float64 {
	if c.IngestRate == 0 || c.APIRate == 0 {
		return 0
	}
	return max(c.IngestRate, c.APIRate)
}

// caller implements [portalhooks/graph.RateLimit]. Unauthenticated callers are
// limited by address.
func (p pace) caller(c delivery.Caller, events int) time.Duration {
	wait := p.take(c, events)
	if wait > 0 {
		p.refusals.Note(httpserver.TooOften, c.Address)
	}
	return wait
}

func (p pace) take(c delivery.Caller, events int) time.Duration {
	switch {
	case !c.Known():
		return 0
	case events > 0:
		return p.events.Take(c.Share(), events)
	case c.Portal:
		return p.portal.Take(c.Share(), 1)
	}
	return p.api.Take(c.Share(), 1)
}

// costly is how many points of complexity make an operation count once more.
const costly = 200

// executed implements Charge of [portalhooks/graph.Options]: an operation counts
// once more for every costly points, so that the rate bounds what is read, too.
// Portal, which reads nothing, pays for events.
func (p pace) executed(c delivery.Caller, points int) {
	if c.Known() && !c.Portal {
		p.api.Charge(c.Share(), points/costly)
	}
}

// stored implements Stored of [service.Options]: what an organization's own
// callers report costs the deliveries that it causes, too.
func (p pace) stored(org delivery.OrgID, deliveries int) {
	p.events.Charge(org.String(), deliveries)
}

// address implements Throttle of [portalhooks/auth.Authenticator].
func (p pace) address(remote string) time.Duration {
	address := httpserver.Address(remote)
	wait := p.unauthenticated.Take(address, 1)
	if wait > 0 {
		p.refusals.Note(httpserver.TooOften, address)
	}
	return wait
}
