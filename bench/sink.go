package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sinkBody    = 64 << 10 // bytes of a call that are read
	maxArrivals = 1 << 20  // that a sink records
	// markPrefix precedes a mark: the time at which an event was sent, in nanoseconds
	// since 1970.
	markPrefix = "sent-"
	// hangingHook is the endpoint that does not respond while the sink hangs. Its
	// arrivals are not recorded.
	hangingHook = 0
	// slowHook is the endpoint that accepts calls slowAnswer after they have come while
	// the sink hangs, which is sooner than they time out.
	slowHook   = "slow"
	slowAnswer = 29 * time.Second
)

// An arrival is the first call with a mark.
type arrival struct {
	Mark int64 `json:"mark"`
	At   int64 `json:"at"`
}

// A sink is a minimal receiver: it counts calls and records the arrivals of marked
// messages.
type sink struct {
	count   atomic.Int64
	hanging atomic.Bool
	buffers sync.Pool

	mu       sync.Mutex
	arrivals map[int64]int64 // time of the first arrival, by mark
	freed    chan struct{}   // closed by reset
}

func newSink() *sink {
	s := &sink{arrivals: map[int64]int64{}, freed: make(chan struct{})}
	s.buffers.New = func() any { return new([sinkBody]byte) }
	return s
}

// ServeSink serves a sink on a free loopback port and prints its URL to output. It
// returns when ctx ends or when input is closed, so that it does not outlive the
// process that started it.
func ServeSink(ctx context.Context, input io.Reader, output io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, input)
	}()
	server := &http.Server{Handler: newSink().routes(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(output, "sink on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func (s *sink) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, s.count.Load())
	})
	mux.HandleFunc("GET /arrivals", s.serveArrivals)
	mux.HandleFunc("POST /hang", func(http.ResponseWriter, *http.Request) { s.hanging.Store(true) })
	mux.HandleFunc("POST /reset", func(http.ResponseWriter, *http.Request) { s.reset() })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hook, ok := strings.CutPrefix(r.URL.Path, "/hook/"); ok {
			s.receive(w, r, hook)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// receive handles a call to an endpoint.
func (s *sink) receive(w http.ResponseWriter, r *http.Request, hook string) {
	buffer, _ := s.buffers.Get().(*[sinkBody]byte)
	defer s.buffers.Put(buffer)
	n, err := io.ReadFull(r.Body, buffer[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return // the client has disconnected
	}
	if hook == strconv.Itoa(hangingHook) {
		s.hang(r.Context())
	} else if hook == slowHook {
		slow, cancel := context.WithTimeout(r.Context(), slowAnswer)
		defer cancel()
		s.hang(slow)
	} else if mark, ok := markIn(buffer[:n]); ok {
		s.record(mark, time.Now().UnixNano())
	}
	s.count.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

// markIn returns the mark in a message.
func markIn(body []byte) (int64, bool) {
	_, rest, found := bytes.Cut(body, []byte(markPrefix))
	if !found {
		return 0, false
	}
	end := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	mark, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return mark, err == nil
}

func (s *sink) record(mark, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.arrivals[mark]; !again && len(s.arrivals) < maxArrivals {
		s.arrivals[mark] = at
	}
}

// hang waits for the end of ctx or the next reset if the sink hangs.
func (s *sink) hang(ctx context.Context) {
	if !s.hanging.Load() {
		return
	}
	s.mu.Lock()
	freed := s.freed
	s.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-freed:
	}
}

// reset clears the arrivals and releases hanging calls.
func (s *sink) reset() {
	s.hanging.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = map[int64]int64{}
	close(s.freed)
	s.freed = make(chan struct{})
}

func (s *sink) serveArrivals(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	all := make([]arrival, 0, len(s.arrivals))
	for mark, at := range s.arrivals {
		all = append(all, arrival{mark, at})
	}
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(all) // fails only if the client has disconnected
}
