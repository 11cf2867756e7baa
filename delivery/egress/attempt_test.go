package egress

import (
	"net"
	"net/http/httptrace"
	"testing"
	"time"
)

// The transport dials for a call that then gets another call's connection.
func TestADialThatWasNotNeededIsNotMeasured(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	_, a := trace(t.Context(), time.Now().Add(time.Minute))
	a.getConn("")
	a.beginLookup()
	a.enter(connecting)
	a.dialling("203.0.113.7:443")
	a.gotConn(httptrace.GotConnInfo{Conn: ours, Reused: true})
	a.enter(handshaking)
	a.dialling("203.0.113.8:443")

	r := Result{Started: time.Now()}
	if at := a.finish(&r, false); at != waiting {
		t.Errorf("the call is at step %d, want %d", at, waiting)
	}
	if r.Timing.DNS != 0 || r.Timing.Connect != 0 || r.Timing.TLS != 0 || !r.Timing.Reused {
		t.Errorf("timing = %+v, want none of the dial", r.Timing)
	}
	if r.RemoteAddr != ours.RemoteAddr().String() {
		t.Errorf("remote address = %q, want the connection's", r.RemoteAddr)
	}
}

func TestATimeOutSaysWhatItWaitedFor(t *testing.T) {
	said := map[string]step{}
	for at := preparing; at <= reading; at++ {
		if other, ok := said[at.String()]; ok {
			t.Errorf("steps %d and %d both say %q", other, at, at)
		}
		said[at.String()] = at
	}
}
