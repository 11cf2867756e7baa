package app

import (
	"strings"
	"syscall"
	"testing"
)

func TestListenSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	taken, err := Listen(t.Context(), "127.0.0.1:0", "--listen")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	for name, tt := range map[string]struct{ addr, flag, want string }{
		"the address is taken": {addr, "--metrics-listen", "can't listen on " + addr + ": address already in use; " +
			"stop the program that uses it, or choose another address with --metrics-listen"},
		// Reserved for documentation: no machine has it.
		"the address is another machine's": {
			"192.0.2.1:8080", "--listen", "can't listen on 192.0.2.1:8080: " + syscall.EADDRNOTAVAIL.Error(),
		},
	} {
		l, err := Listen(t.Context(), tt.addr, tt.flag)
		if err == nil {
			t.Errorf("%s: it listens on %s", name, l.Addr())
			_ = l.Close()
			continue
		}
		if got := err.Error(); got != tt.want {
			t.Errorf("%s: error %q, want %q", name, got, tt.want)
		}
	}
}

// The addresses are checked before anything is opened.
func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		listen, metrics string
		want            string // the start of the error; empty for none
	}{
		"both":                   {listen: "127.0.0.1:8080", metrics: "127.0.0.1:9090"},
		"no metrics listener":    {listen: "127.0.0.1:8080"},
		"every interface":        {listen: "127.0.0.1:8080", metrics: ":9090"},
		"a name for the port":    {listen: "localhost:http"},
		"any free port":          {listen: "[::1]:0"},
		"no address":             {"nonsense", "", `--listen must be an address such as 127.0.0.1:8080 or :8080, not "nonsense"`},
		"no port":                {"127.0.0.1", "", "--listen must be an address"},
		"no such port":           {"127.0.0.1:80800", "", "--listen must be an address"},
		"no address for metrics": {"127.0.0.1:8080", "nonsense", `--metrics-listen must be an address such as 127.0.0.1:9090 or :9090, not "nonsense"`},
		"no port for metrics":    {"127.0.0.1:8080", "9090", "--metrics-listen must be an address"},
	} {
		c := &Settings{Listen: tt.listen, MetricsListen: tt.metrics}
		err := c.checkAddresses(t.Context())
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (tt.want == "") != (got == "") || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}
