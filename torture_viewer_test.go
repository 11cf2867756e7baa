package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A viewer follows the live log from its start on, as `portalhooks tail` does,
// at whatever server there is, and goes on behind its cursor when that is lost.
type viewer struct {
	mu     sync.Mutex
	server *client
	seen   map[string]int // entries, by delivery, state and attempt
	gaps   int
}

// watch lets a viewer follow the log until t ends.
func (r *rig) watch(t *testing.T) {
	t.Helper()
	v := &viewer{seen: map[string]int{}}
	v.turnTo(r.server)
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
func (v *viewer) turnTo(s *server) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.server = &client{
		endpoint: s.url + "/graphql", key: s.Operator,
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

func (v *viewer) follow(ctx context.Context) {
	cursor, tail := logStart(), &tailCmd{Organization: "load"}
	for ctx.Err() == nil {
		v.mu.Lock()
		server := v.server
		v.mu.Unlock()
		// That it ends is what the tests are about; who follows goes on.
		_ = tail.follow(ctx, server, cursor, func() {}, func(item tailItem, _ json.RawMessage) error {
			cursor = item.Cursor
			v.note(item)
			return nil
		})
		_ = wait(ctx, 25*time.Millisecond)
	}
}

func (v *viewer) note(item tailItem) {
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

// saw fails t unless the viewer sees the end of each delivery that the witness
// knows, and nothing twice.
func (r *rig) saw(t *testing.T) {
	t.Helper()
	for left := r.unseen(); left > 0; {
		// A viewer that is behind may take its time, as long as it comes nearer.
		err := eventually(t.Context(), "more deliveries are seen to end", func(context.Context) (bool, error) {
			now := r.unseen()
			nearer := now < left
			left = now
			return nearer, nil
		})
		if err != nil {
			t.Errorf("%v: %d are not%s", err, left, r.server.transcript())
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
func (r *rig) unseen() (n int) {
	r.witness.mu.Lock()
	defer r.witness.mu.Unlock()
	r.viewer.mu.Lock()
	defer r.viewer.mu.Unlock()
	for id, calls := range r.witness.calls {
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
