package egress

import (
	"io"
	"net"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
)

// Five hundred receivers that each send as much as they can and then hang
// must not cost more memory than the server has to spare. The figure includes
// the receivers' own side, which is in the same process.
func TestFiveHundredHostileAnswersFitInMemory(t *testing.T) {
	const calls, limit = 500, 32 << 20
	var sent sync.WaitGroup
	sent.Add(calls)
	release := make(chan struct{})
	head := ok + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", MaxRead-1)
	address := serveFault(t, func(conn net.Conn, _ <-chan struct{}) {
		_, _ = io.WriteString(conn, head)
		sent.Done()
		<-release
	})
	client := newClient(t, loopback(), Options{})
	before := inUse()
	outcomes := make(chan Result, calls)
	for range calls {
		go func() {
			outcomes <- client.Do(t.Context(), Request{URL: "http://" + address, Timeout: longLimit})
		}()
	}
	sent.Wait()
	if used := inUse() - before; used > limit {
		t.Errorf("%d calls use %d MiB, want at most %d", calls, used>>20, limit>>20)
	}
	close(release)
	for range calls {
		if got := <-outcomes; got.Outcome != ResponseError || got.BodyBytes != MaxRead-1 {
			t.Fatalf("outcome = %s (%s) after %d bytes", got.Outcome, got.Err, got.BodyBytes)
		}
	}
}

// inUse returns the size of the live heap and the stacks, in bytes, after a
// garbage collection.
func inUse() int64 {
	runtime.GC()
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() + samples[1].Value.Uint64())
}
