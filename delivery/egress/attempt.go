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

// An attempt measures one call.
type attempt struct {
	deadline time.Time

	at      step
	mark    time.Time // when the present step began
	timing  Timing
	remote  string // of the connection
	dialled string
}

// begin waits for a connection. It begins again when a call is repeated because
// its reused connection turned out to be closed.
func (a *attempt) begin() { *a = attempt{deadline: a.deadline, at: lookingUp} }

// have ends the wait for a connection, which leads to remote.
func (a *attempt) have(remote string, reused bool) {
	a.enter(waiting)
	a.timing.Reused = reused
	a.remote = remote
}

// enter moves an attempt on to a step and records how long the last one took.
func (a *attempt) enter(next step) {
	now := time.Now()
	a.leave(now)
	a.at, a.mark = next, now
}

// leave records how long the present step took.
func (a *attempt) leave(now time.Time) {
	if a.mark.IsZero() {
		return // there is nothing to look up in an address
	}
	took := now.Sub(a.mark)
	switch a.at {
	case lookingUp:
		a.timing.DNS = took
	case connecting:
		a.timing.Connect = took
	case handshaking:
		a.timing.TLS = took
	case waiting:
		a.timing.FirstByte = took
	case reading:
		a.timing.Body = took
	case preparing:
	}
}

// beginLookup starts the clock of the name lookup.
func (a *attempt) beginLookup() { a.mark = time.Now() }

// dialling notes an address that the policy lets through.
func (a *attempt) dialling(address string) { a.dialled = address }

func (a *attempt) firstByte() { a.enter(reading) }

// finish copies what was measured into r and returns the step reached.
func (a *attempt) finish(r *Result, proxied bool) step {
	now := time.Now()
	r.Duration = now.Sub(r.Started)
	a.leave(now)
	r.Timing = a.timing
	switch {
	case proxied: // the proxy's address is the operator's business
	case a.remote != "":
		r.RemoteAddr = a.remote
	default:
		r.RemoteAddr = a.dialled
	}
	return a.at
}
