package egress

import "time"

// A step is how far a call has come.
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

// A meter measures one call.
type meter struct {
	at      step
	mark    time.Time // when the present step began
	timing  Timing
	remote  string // address that the connection leads to
	dialled string // the last address that was dialled
}

// enter moves a call on to a step and records how long the last one took.
func (m *meter) enter(next step) {
	now := time.Now()
	m.leave(now)
	m.at, m.mark = next, now
}

// leave records how long the present step took.
func (m *meter) leave(now time.Time) {
	if m.mark.IsZero() {
		return // there is nothing to look up in an address
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

// beginLookup starts the clock of the name lookup.
func (m *meter) beginLookup() { m.mark = time.Now() }

// dialling notes an address that the policy lets through.
func (m *meter) dialling(address string) { m.dialled = address }

// finish copies what was measured into r and returns the step reached.
func (m *meter) finish(r *Result, proxied bool) step {
	now := time.Now()
	r.Duration = now.Sub(r.Started)
	m.leave(now)
	r.Timing = m.timing
	switch {
	case proxied: // the proxy's address is the operator's business
	case m.remote != "":
		r.RemoteAddr = m.remote
	default:
		r.RemoteAddr = m.dialled
	}
	return m.at
}
