package egress

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"portalhooks/delivery/failpoint"
)

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

// An attempt measures one call. net/http dials on goroutines of its own, which
// may outlive the call and may serve another one, so everything here is locked
// and a dial is heeded only while the call waits for a connection.
type attempt struct {
	deadline time.Time

	mu        sync.Mutex
	at        step
	connected bool
	mark      time.Time // when the present step began
	timing    Timing
	remote    string // of the connection
	dialled   string
}

type attemptKey struct{}

// trace returns ctx with the hooks of a new attempt. Only hooks that the
// transport itself calls are set: those of package net would cost a call more
// allocations than all the others.
func trace(ctx context.Context, deadline time.Time) (context.Context, *attempt) {
	a := &attempt{deadline: deadline}
	hooks := &httptrace.ClientTrace{
		GetConn: a.getConn, GotConn: a.gotConn, GotFirstResponseByte: a.firstByte,
		TLSHandshakeStart: a.startTLS, TLSHandshakeDone: a.doneTLS,
	}
	if failpoint.Enabled {
		hooks.WroteRequest = func(httptrace.WroteRequestInfo) { failpoint.Hit(failpoint.CallSent) }
	}
	return httptrace.WithClientTrace(context.WithValue(ctx, attemptKey{}, a), hooks), a
}

// getConn begins again when a call is repeated because its reused connection
// turned out to be closed.
func (a *attempt) getConn(string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected, a.at, a.mark, a.timing, a.dialled = false, lookingUp, time.Time{}, Timing{}, ""
}

func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	remote := ""
	if addr := info.Conn.RemoteAddr(); addr != nil {
		remote = addr.String()
	}
	a.have(remote, info.Reused)
}

// have ends the wait for a connection, which leads to remote.
func (a *attempt) have(remote string, reused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.leave(now)
	if reused {
		// What was measured belongs to a dial that this call began and then
		// did not need.
		a.timing = Timing{Reused: true}
	}
	a.connected, a.at, a.mark = true, waiting, now
	a.remote = remote
}

// enter moves a dialling attempt on to a step.
func (a *attempt) enter(next step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.connected {
		return
	}
	now := time.Now()
	a.leave(now)
	a.at, a.mark = next, now
}

// leave records how long the present step took, if it was one of connecting.
// The caller holds the lock.
func (a *attempt) leave(now time.Time) {
	switch a.at {
	case lookingUp:
		if !a.mark.IsZero() { // there is nothing to look up in an address
			a.timing.DNS = now.Sub(a.mark)
		}
	case connecting:
		a.timing.Connect = now.Sub(a.mark)
	case handshaking:
		a.timing.TLS = now.Sub(a.mark)
	}
}

// beginLookup starts the clock of the name lookup.
func (a *attempt) beginLookup() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.connected {
		a.mark = time.Now()
	}
}

// dialling notes an address that the policy lets through.
func (a *attempt) dialling(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.connected {
		a.dialled = address
	}
}

func (a *attempt) startTLS() { a.enter(handshaking) }

func (a *attempt) doneTLS(_ tls.ConnectionState, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.connected || a.at != handshaking {
		return
	}
	if err == nil { // finish takes the time of a handshake that failed
		a.leave(time.Now())
		a.at = waiting
	}
}

func (a *attempt) firstByte() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.timing.FirstByte = now.Sub(a.mark)
	a.at, a.mark = reading, now
}

// finish copies what was measured into r and returns the step reached.
func (a *attempt) finish(r *Result, proxied bool) step {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	r.Duration = now.Sub(r.Started)
	switch {
	case a.at == reading:
		a.timing.Body = now.Sub(a.mark)
	case a.connected:
		a.timing.FirstByte = now.Sub(a.mark)
	default:
		a.leave(now)
	}
	r.Timing = a.timing
	switch {
	case proxied: // the proxy's address is the operator's business
	case a.connected && a.remote != "":
		r.RemoteAddr = a.remote
	default:
		r.RemoteAddr = a.dialled
	}
	return a.at
}
