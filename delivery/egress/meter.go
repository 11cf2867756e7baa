package egress

import "time"

// A step is a phase of a call.
type step int

const (
	preparing step = iota
	lookingUp
	connecting
	handshaking
	waiting
	reading
)

// String completes the sentence "The call did not finish in time: …".
func (s step) String() string {
	switch s {
	case preparing:
		return "the call had not begun"
	case lookingUp:
		return "the lookup of the host name was still running"
	case connecting:
		return "the receiver did not accept the connection"
	case handshaking:
		return "the TLS handshake was still running"
	case waiting:
		return "the receiver did not answer"
	}
	return "the receiver was still sending its answer"
}

// A meter measures the steps of one call.
type meter struct {
	at      step
	mark    time.Time // start of the current step; zero if its time does not count
	timing  Timing
	remote  string // address that the connection leads to
	dialled string // the last address that was dialled
}

// enter begins a step and records how long the previous one took.
func (m *meter) enter(next step) {
	now := time.Now()
	m.leave(now)
	m.at, m.mark = next, now
}

// leave records how long the current step took.
func (m *meter) leave(now time.Time) {
	if m.mark.IsZero() {
		return // an address needs no lookup
	}
	took := now.Sub(m.mark)
	switch m.at {
	case lookingUp:
		m.timing.DNS = took
	case connecting:
		m.timing.Connect = took
	case handshaking:
		m.timing.TLS = took
	case waiting:
		m.timing.FirstByte = took
	case reading:
		m.timing.Body = took
	case preparing:
	}
}

// beginLookup starts the time of the name lookup.
func (m *meter) beginLookup() { m.mark = time.Now() }

// forgetLookup ends the lookup without recording how long it took.
func (m *meter) forgetLookup() { m.mark = time.Time{} }

// dialling records an address that the policy allows.
func (m *meter) dialling(address string) { m.dialled = address }

// finish copies what was measured into r and returns the step reached.
func (m *meter) finish(r *Result, proxied bool) step {
	now := time.Now()
	r.Duration = now.Sub(r.Started)
	m.leave(now)
	r.Timing = m.timing
	switch {
	case proxied: // organizations must not see the proxy's address
	case m.remote != "":
		r.RemoteAddr = m.remote
	default:
		r.RemoteAddr = m.dialled
	}
	return m.at
}
