package egress

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A zone answers name lookups in place of the network. It returns the
// addresses of a name, or a response code, or false to stay silent.
type zone func(name string) (addresses []netip.Addr, code byte, answers bool)

const (
	rcodeOK       = 0
	rcodeServFail = 2
	rcodeNXDomain = 3
	typeA         = 1
	typeAAAA      = 28
)

// resolver returns a resolver that asks z over DNS on a pipe.
func (z zone) resolver(t testing.TB) *net.Resolver {
	t.Helper()
	var (
		mu    sync.Mutex
		open  []net.Conn
		ended bool
		asked sync.WaitGroup
	)
	t.Cleanup(func() {
		// The resolver finishes a lookup in the background when its caller
		// has gone; hanging up ends it.
		mu.Lock()
		ended = true
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		asked.Wait()
	})
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return nil, net.ErrClosed
		}
		ours, theirs := net.Pipe()
		open = append(open, ours)
		asked.Go(func() {
			defer func() { _ = ours.Close() }()
			for z.answer(ours) {
			}
		})
		return theirs, nil
	}}
}

// answer reads one query in the framing of DNS over TCP and answers it.
func (z zone) answer(conn net.Conn) bool {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return false
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return false
	}
	name, end := questionOf(query)
	addresses, code, answers := z(name)
	if !answers {
		return true
	}
	message := z.message(query[:end], addresses, code)
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
	return err == nil
}

// message answers the query, which ends with its only question.
func (z zone) message(query []byte, addresses []netip.Addr, code byte) []byte {
	kind := binary.BigEndian.Uint16(query[len(query)-4:])
	answers, count := []byte(nil), uint16(0)
	for _, addr := range addresses {
		if addr.Is4() != (kind == typeA) || addr.Is6() != (kind == typeAAAA) {
			continue
		}
		answers = append(answers, 0xc0, 12) // the name in the question
		answers = binary.BigEndian.AppendUint16(answers, kind)
		answers = append(answers, 0, 1, 0, 0, 0, 0) // class IN, TTL 0
		answers = binary.BigEndian.AppendUint16(answers, uint16(addr.BitLen()/8))
		answers = append(answers, addr.AsSlice()...)
		count++
	}
	message := append([]byte{}, query...)
	message[2], message[3] = 0x81, 0x80|code
	binary.BigEndian.PutUint16(message[6:], count)
	clear(message[8:12]) // no authority, no additional records
	return append(message, answers...)
}

// questionOf returns the name asked for and where the question ends.
func questionOf(query []byte) (name string, end int) {
	var labels []string
	at := 12
	for query[at] != 0 {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
		at += 1 + int(query[at])
	}
	return strings.Join(labels, "."), at + 5
}

func leadsTo(addresses ...string) zone {
	list := make([]netip.Addr, len(addresses))
	for i, text := range addresses {
		list[i] = netip.MustParseAddr(text)
	}
	return func(string) ([]netip.Addr, byte, bool) { return list, rcodeOK, true }
}

func fails(code byte) zone {
	return func(string) ([]netip.Addr, byte, bool) { return nil, code, true }
}

func silent(string) ([]netip.Addr, byte, bool) { return nil, 0, false }

func TestDoAndTheNameLookup(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	port := must(url.Parse(server.URL)).Port()
	many := make([]string, 1000)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()
	}
	for name, tt := range map[string]struct {
		zone    zone
		want    Outcome
		message string
	}{
		"found":                     {leadsTo("127.0.0.1"), Success, ""},
		"does not exist":            {fails(rcodeNXDomain), DNSError, "no address"},
		"exists without address":    {leadsTo(), DNSError, "no address"},
		"server failure":            {fails(rcodeServFail), DNSError, "failed"},
		"no answer":                 {silent, DNSError, "in time"},
		"leads to a private host":   {leadsTo("10.0.0.1"), DNSError, "no address"},
		"leads to metadata":         {leadsTo("169.254.169.254"), DNSError, "no address"},
		"leads to mapped metadata":  {leadsTo("::ffff:169.254.169.254"), DNSError, "no address"},
		"leads to IPv6 metadata":    {leadsTo("fd00:ec2::254"), DNSError, "no address"},
		"a thousand private hosts":  {leadsTo(many...), DNSError, "no address"},
		"one good among a thousand": {leadsTo(append(many, "127.0.0.1")...), Success, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := loopback()
			p.Resolver = tt.zone.resolver(t)
			limit := 4 * time.Second
			if name == "no answer" {
				limit = hangLimit
			}
			client := newClient(t, p, Options{LookupTimeout: limit})
			// The resolver itself would wait longer than this.
			got := client.Do(t.Context(), Request{URL: "http://receiver.test:" + port, Timeout: 5 * time.Second})
			if got.Outcome != tt.want || !strings.Contains(got.Err, tt.message) {
				t.Errorf("outcome = %s, %q, want %s saying %q", got.Outcome, got.Err, tt.want, tt.message)
			}
			if (got.RemoteAddr != "") != (tt.want == Success) {
				t.Errorf("remote address = %q for %s", got.RemoteAddr, got.Outcome)
			}
			if (got.Timing.DNS > 0) == (tt.message == "no address") {
				t.Errorf("timing = %+v, want the lookup's unless there is no address", got.Timing)
			}
			for _, leak := range []string{"10.0.0", "169.254", "fd00"} {
				if strings.Contains(got.Err, leak) {
					t.Errorf("%q tells where the name leads", got.Err)
				}
			}
		})
	}
}

func TestDoTimesOutDuringALookup(t *testing.T) {
	p := loopback()
	p.Resolver = zone(silent).resolver(t)
	got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: "http://receiver.test/", Timeout: hangLimit})
	if got.Outcome != Timeout || !strings.Contains(got.Err, "lookup") {
		t.Errorf("outcome = %s, %q, want a time-out in the lookup", got.Outcome, got.Err)
	}
}

// A name that changes its address between two lookups must gain nothing: each
// dial is to an address that was checked, never to the name.
func TestDoIsSafeFromRebinding(t *testing.T) {
	var calls, lookups atomic.Int32
	internal := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer internal.Close()
	port := must(url.Parse(internal.URL)).Port()

	p := Policy{AllowHTTP: true, AnyPort: true, Allow: prefixes(t, "127.0.0.9/32")}
	p.Resolver = zone(func(string) ([]netip.Addr, byte, bool) {
		// The allowed address refuses connections; the other is the target.
		last := byte(9)
		if lookups.Add(1) > 2 { // A and AAAA of the first call
			last = 1
		}
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, last})}, rcodeOK, true
	}).resolver(t)
	client := newClient(t, p, Options{})
	for _, want := range []Outcome{ConnectError, DNSError, DNSError} {
		got := client.Do(t.Context(), Request{URL: "http://rebinding.test:" + port})
		if got.Outcome != want {
			t.Errorf("outcome = %s, want %s", got.Outcome, want)
		}
	}
	if calls.Load() != 0 {
		t.Error("the internal server was reached")
	}
}

// The guard is asked again for the very address that is dialled, so a mistake
// before the dial is not enough.
func TestDialerControlIsTheLastWord(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	client := newClient(t, Policy{AllowHTTP: true, AnyPort: true}, Options{})
	d := net.Dialer{Control: client.guard.control}
	conn, err := d.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err == nil {
		_ = conn.Close()
		t.Fatal("loopback was dialled")
	}
}

// An organization is told the same of a name inside the server's network as of
// one that does not exist.
func TestInternalNamesLookLikeNoNames(t *testing.T) {
	var asked atomic.Value
	seen := func(z zone) zone {
		return func(name string) ([]netip.Addr, byte, bool) {
			asked.Store(name)
			return z(name)
		}
	}
	var results []Result
	for _, z := range []zone{
		fails(rcodeNXDomain), leadsTo(), leadsTo("10.0.0.1"), leadsTo("127.0.0.1", "fd00::1"),
	} {
		p := Policy{AllowHTTP: true, Resolver: seen(z).resolver(t)}
		got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: "http://kubernetes.default"})
		if name := asked.Load(); name != "kubernetes.default" {
			t.Errorf("the resolver was asked for %v, want the name alone", name)
		}
		got.Started, got.Duration = time.Time{}, 0 // the caller can measure the time anyway
		results = append(results, got)
	}
	for _, got := range results[1:] {
		if !reflect.DeepEqual(got, results[0]) {
			t.Errorf("got %+v, want %+v as for a name that does not exist", got, results[0])
		}
	}
	if got := results[0]; got.Outcome != DNSError || got.Timing != (Timing{}) || got.RemoteAddr != "" {
		t.Errorf("got %+v, want %s without a time", got, DNSError)
	}
}

func TestDialTriesTheNextAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	port := must(url.Parse(server.URL)).Port()
	p := loopback()
	p.Resolver = leadsTo("127.0.0.9", "127.0.0.8", "127.0.0.1").resolver(t)
	got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: "http://receiver.test:" + port})
	if got.Outcome != Success || got.RemoteAddr != "127.0.0.1:"+port {
		t.Errorf("outcome = %s (%s) from %q", got.Outcome, got.Err, got.RemoteAddr)
	}
}
