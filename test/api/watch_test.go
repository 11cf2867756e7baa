package api

import (
	"bufio"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"portalhooks/test/harness"
)

// watchLog follows a subscription until it is quiet for the first time, or ends,
// and returns what it sent before that.
func watchLog(s *harness.APIServer, t *testing.T, key, query string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	req := s.Request(t, key, query, nil).WithContext(ctx)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := s.Client.Do(req)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the stream's status is %d", resp.StatusCode)
	}
	var sent []string
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "event: complete" || strings.Contains(lines.Text(), "DeliveryLogHeartbeat") {
			return sent
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			sent = append(sent, data)
		}
	}
	t.Errorf("the stream broke off: %v", lines.Err())
	return sent
}

// TestSubscribersSeeOnlyTheirOrganization watches the log from its start until it
// is quiet, by every argument.
func TestSubscribersSeeOnlyTheirOrganization(t *testing.T) {
	t.Parallel()
	cases := isolationCases()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		for _, o := range []harness.Tenant{w.A, w.B} {
			o.Names["logCursor"] = harness.LogStart()
		}
		var all sync.WaitGroup
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			if !strings.HasPrefix(name, "Subscription.") {
				continue
			}
			for _, query := range cases[name].queries {
				all.Go(func() { checkWatch(t, w, query, cases[name].cursor) })
			}
		}
		all.Wait()
	})
}

func checkWatch(t *testing.T, w *harness.World, query string, cursor bool) {
	var sent, ghost, own []string
	var all sync.WaitGroup
	all.Go(func() { sent = watchLog(w.APIServer, t, w.B.Viewer, fill(query, w.A.Names, w.B.Names)) })
	all.Go(func() { ghost = watchLog(w.APIServer, t, w.B.Viewer, fill(query, harness.Ghosts, w.B.Names)) })
	all.Go(func() { own = watchLog(w.APIServer, t, w.A.Viewer, fill(query, w.A.Names, w.A.Names)) })
	all.Wait()
	got := mask([]byte(strings.Join(sent, "\n")), w.A.Names)
	want := mask([]byte(strings.Join(ghost, "\n")), harness.Ghosts)
	switch {
	case cursor && strings.Contains(strings.Join(sent, ""), "canary"):
		t.Errorf("the viewer is told: %s\nof: %s", got, query)
	case cursor && strings.Count(got, `"item":{"name":"tenant-b`) != 6: // three alerts, two webhooks
		t.Errorf("the viewer is told: %s\nof its own: %s", got, query)
	case !cursor && got != want:
		t.Errorf("the viewer is told: %s\nof what does not exist: %s\nof: %s", got, want, query)
	case len(own) == 0:
		t.Errorf("no caller gets anything from %s", query)
	}
}
