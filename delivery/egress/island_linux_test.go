package egress

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// islandSetting marks the process that runs in a network of its own.
const islandSetting = "EGRESS_ISLAND"

// Nothing but public addresses is ever reached, whatever the URL: on an island,
// a network in which every address there is leads to this process, which listens
// and writes down at which of its addresses it was called.
func TestNothingOfOursIsReached(t *testing.T) {
	if os.Getenv(islandSetting) != "" {
		raise(t)
		explore(t)
		return
	}
	if testing.Short() {
		t.Skip("left out of make quick: it needs a network namespace")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	// A proxy of the environment would lead to an address of ours.
	cmd.Env = append(os.Environ(), islandSetting+"=1", "HTTP_PROXY=http://127.0.0.1:8080",
		"HTTPS_PROXY=http://127.0.0.1:8080", "ALL_PROXY=http://127.0.0.1:8080")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as root, or where user namespaces are allowed, this works: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "island:") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// raise makes every address lead here.
func raise(t *testing.T) {
	t.Helper()
	for _, args := range []string{
		"link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo",
	} {
		out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(args)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
}

// A canary is called when something is reached.
type canary struct {
	mu    sync.Mutex
	heard map[netip.Addr]int
}

// listen answers on a port of every address, with a redirect to one of ours.
func (c *canary) listen(t *testing.T, port int) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("[::]:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateNew {
				to, _ := netip.ParseAddrPort(conn.LocalAddr().String())
				c.mu.Lock()
				c.heard[to.Addr().Unmap()]++
				c.mu.Unlock()
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/redirect" {
				http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
				return
			}
			_, _ = io.WriteString(w, "reached")
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
}

// take returns which addresses were called since the last time.
func (c *canary) take() map[netip.Addr]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := c.heard
	c.heard = map[netip.Addr]int{}
	return heard
}

// explore calls everything that must not be reached, and a few that may be.
func explore(t *testing.T) {
	c := &canary{heard: map[netip.Addr]int{}}
	for _, port := range []int{22, 80, 443, 6379, 8080, 8443} {
		c.listen(t, port)
	}
	names := hostileNames()
	var lookups atomic.Int32
	policy := Policy{AllowHTTP: true, Resolver: zone(func(name string) ([]netip.Addr, byte, bool) {
		name = strings.TrimSuffix(name, ".")
		if name == "rebinding.example" {
			// First what is allowed, then what is not.
			if lookups.Add(1)%4 < 2 {
				return []netip.Addr{netip.MustParseAddr("198.51.99.1")}, rcodeOK, true
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, rcodeOK, true
		}
		found, ok := names[name]
		if !ok {
			return nil, rcodeNXDomain, true
		}
		return found, rcodeOK, true
	}).resolver(t)}
	client := newClient(t, policy, Options{})
	call := func(url string) Result {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return client.Do(ctx, Request{URL: url, Body: []byte("{}"), Timeout: 5 * time.Second})
	}
	// The island works: what is public is reached.
	for _, url := range []string{
		"http://93.184.216.34/", "http://[2606:4700::1]:8080/", "http://public.example/",
	} {
		if got := call(url); got.Outcome != Success {
			t.Errorf("%s: %s %s, want it reached", url, got.Outcome, got.Err)
		}
	}
	if got := call("http://public.example/redirect"); got.Outcome != Redirect {
		t.Errorf("a redirect: %s, want it not followed", got.Outcome)
	}
	for range 8 {
		call("http://rebinding.example/")
	}
	c.check(t, "what is public")
	urls := islandURLs(names)
	for _, url := range urls {
		if got := call(url); got.Outcome == Success {
			t.Errorf("%s: reached", url)
		}
		if heard := c.take(); len(heard) > 0 {
			t.Errorf("%s: %v were called", url, heard)
		}
	}
	t.Logf("island: %d hostile URLs, none reached anything", len(urls))
}

// check fails t if anything was called that is not plainly public.
func (c *canary) check(t *testing.T, what string) {
	t.Helper()
	heard := c.take()
	if len(heard) == 0 {
		t.Errorf("%s: nothing was called: the island does not work", what)
	}
	for addr := range heard {
		if !plainlyPublic(addr) {
			t.Errorf("%s: %s was called", what, addr)
		}
	}
}

// notOurs are addresses that no organization may have called.
var notOurs = []string{
	"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
	"168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
	"192.0.0.1", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1",
	"192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250",
	"240.0.0.1", "255.255.255.255",
	"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1",
	"100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
	"2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
}

// hostileNames lead to each of them, alone and behind a public address.
func hostileNames() map[string][]netip.Addr {
	public := netip.MustParseAddr("93.184.216.34")
	names := map[string][]netip.Addr{"public.example": {public}}
	for i, text := range notOurs {
		addr := netip.MustParseAddr(text)
		names[fmt.Sprintf("n%d.example", i)] = []netip.Addr{addr}
		names[fmt.Sprintf("second%d.example", i)] = []netip.Addr{addr, addr}
	}
	return names
}

// islandURLs writes the addresses in every way that something might take for
// one of them.
func islandURLs(names map[string][]netip.Addr) []string {
	var urls []string
	add := func(hosts ...string) {
		for _, host := range hosts {
			urls = append(urls, "http://"+host+"/", "http://"+host+":8080/")
		}
	}
	for _, text := range notOurs {
		addr := netip.MustParseAddr(text)
		if addr.Is6() {
			add("["+text+"]", "["+addr.StringExpanded()+"]", "["+text+"%25lo]", "["+text+"%lo]")
			continue
		}
		b := addr.As4()
		n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		add(text, text+".", fmt.Sprint(n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0%o", n),
			fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3]),
			fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]), fmt.Sprintf("%d.%d", b[0], n&0xffffff),
			fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff), "[::ffff:"+text+"]", "[::"+text+"]", "[64:ff9b::"+text+"]",
			fmt.Sprintf("[2002:%x:%x::1]", n>>16, n&0xffff), "public.example@"+text, text+"#@public.example",
			text+"\\@public.example", "public.example\\@"+text, text+"%2f@public.example", text+"\t", text+"%00",
			strings.ReplaceAll(text, ".", "。"), strings.NewReplacer("1", "①", "2", "②", "0", "⓪").Replace(text))
	}
	for name := range names {
		if name != "public.example" {
			add(name, name+".", strings.ToUpper(name))
		}
	}
	add("localhost", "LocalHost.", "a.localhost", "ip6-localhost", "metadata.google.internal", "metadata", "")
	urls = append(urls,
		"http://public.example:22/", "http://public.example:6379/", "http://93.184.216.34:0/",
		"http://93.184.216.34:65536/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://127.0.0.1/",
		"//127.0.0.1/", "unix:///var/run/docker.sock", "http+unix://%2fvar%2frun%2fdocker.sock/",
		"dict://127.0.0.1:6379/", "javascript:1",
	)
	slices.Sort(urls)
	return slices.Compact(urls)
}
