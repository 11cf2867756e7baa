package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"portalhooks/cli"
	"portalhooks/delivery/loop"
)

// A viewer follows the delivery log from its start on, as `portalhooks tail` does,
// and resumes behind its cursor at another server when the connection is lost.
type viewer struct {
	mu     sync.Mutex
	server *cli.Client
	seen   map[string]int // entries, by delivery, state and attempt
	gaps   int
}

// Watch lets a viewer follow the log until t ends.
func (r *Rig) Watch(t *testing.T) {
	t.Helper()
	v := &viewer{seen: map[string]int{}}
	v.turnTo(r.Server)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { v.follow(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	r.viewer = v
}

// turnTo tells the viewer where the server is now.
func (v *viewer) turnTo(s *Server) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.server = cli.NewClient(s.URL, s.Operator)
	v.server.HTTP.Transport = &http.Transport{DisableKeepAlives: true}
}

func (v *viewer) follow(ctx context.Context) {
	cursor := LogStart()
	for ctx.Err() == nil {
		v.mu.Lock()
		server := v.server
		v.mu.Unlock()
		// The tests end the stream on purpose; a subscriber resumes.
		_ = server.Follow(
			ctx,
			cli.Subscription{Organization: "load", After: cursor},
			func() {},
			func(item cli.TailItem, _ json.RawMessage) error {
				cursor = item.Cursor
				v.note(item)
				return nil
			},
		)
		loop.Sleep(ctx, 25*time.Millisecond)
	}
}

func (v *viewer) note(item cli.TailItem) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch item.Type {
	case "DeliveryLogGap":
		v.gaps++
	case "DeliveryLogEntry":
		number := 0
		if item.Attempt != nil {
			number = item.Attempt.Number
		}
		v.seen[fmt.Sprintf("%s %s %d", item.Delivery.ID, item.State, number)]++
	}
}

// Saw fails t unless the viewer sees the end of each delivery that the witness
// knows, and nothing twice.
func (r *Rig) Saw(t *testing.T) {
	t.Helper()
	for left := r.unseen(); left > 0; {
		// A viewer that is behind may take its time, as long as it comes nearer.
		err := Eventually(t.Context(), "more deliveries are seen to end", func(context.Context) (bool, error) {
			now := r.unseen()
			nearer := now < left
			left = now
			return nearer, nil
		})
		if err != nil {
			t.Errorf("%v: %d are not%s", err, left, r.Server.Transcript())
			break
		}
	}
	r.viewer.mu.Lock()
	defer r.viewer.mu.Unlock()
	for entry, times := range r.viewer.seen {
		if times > 1 {
			t.Errorf("the entry %s came %d times", entry, times)
		}
	}
	if r.viewer.gaps > 0 {
		t.Errorf("%d gaps were announced in the log", r.viewer.gaps)
	}
}

// unseen counts the deliveries whose end the viewer has not seen.
func (r *Rig) unseen() (n int) {
	r.Witness.mu.Lock()
	defer r.Witness.mu.Unlock()
	r.viewer.mu.Lock()
	defer r.viewer.mu.Unlock()
	for id, calls := range r.Witness.calls {
		done := false
		for _, c := range calls {
			done = done || r.viewer.seen[id+" DELIVERED "+c.attempt] > 0
		}
		if !done {
			n++
		}
	}
	return n
}
