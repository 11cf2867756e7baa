package graph

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/delivery"
	"portalhooks/graph/model"
)

func TestLogItem(t *testing.T) {
	t.Parallel()
	entry := &delivery.LogEntry{ID: 1, Delivery: delivery.Delivery{ID: 2, State: delivery.Held}}
	item := delivery.LogItem{Cursor: "c", At: noon, Entry: entry, Replayed: true}
	out, ok := logItem(item).(*model.DeliveryLogEntry)
	if !ok || out.Cursor != "c" || out.At != noon || out.Delivery.Delivery.ID != 2 ||
		out.State != delivery.Held || !out.Replayed || out.Attempt != nil {
		t.Errorf("an entry without a call: got %+v", out)
	}
	entry.Attempt = &delivery.Attempt{Number: 3}
	out, ok = logItem(delivery.LogItem{Entry: entry}).(*model.DeliveryLogEntry)
	if !ok || out.Attempt.Number != 3 || out.Replayed {
		t.Errorf("an entry with a call: got %+v", out)
	}
	gap, ok := logItem(delivery.LogItem{Cursor: "c", Gap: true, MissedSince: noon}).(*model.DeliveryLogGap)
	if !ok || gap.Cursor != "c" || gap.MissedSince != noon {
		t.Errorf("a gap: got %+v", gap)
	}
	beat, ok := logItem(delivery.LogItem{Cursor: "c", At: noon}).(*model.DeliveryLogHeartbeat)
	if !ok || beat.Cursor != "c" || beat.At != noon {
		t.Errorf("a heartbeat: got %+v", beat)
	}
}

// TestLogItemsEnds relies on the check for leaked goroutines in TestMain.
func TestLogItemsEnds(t *testing.T) {
	t.Parallel()
	items := make(chan delivery.LogItem, 1)
	items <- delivery.LogItem{Cursor: "a"}
	close(items)
	out := logItems(t.Context(), items)
	if beat, ok := (<-out).(*model.DeliveryLogHeartbeat); !ok || beat.Cursor != "a" {
		t.Errorf("got %+v, want the heartbeat", beat)
	}
	if item, open := <-out; open {
		t.Errorf("got %+v after the end", item)
	}
}

func TestLogItemsEndsWhenTheItemIsNotReceived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		items := make(chan delivery.LogItem, 1)
		defer close(items)
		items <- delivery.LogItem{Cursor: "a"}
		out := logItems(ctx, items)
		synctest.Wait() // until it offers the item
		cancel()
		synctest.Wait()
		if item, open := <-out; open {
			t.Errorf("got %+v after the end", item)
		}
	})
}

func TestCursorOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ data, want string }{
		"asked for":           {`{"deliveryLog":{"__typename":"DeliveryLogEntry","cursor":"c"}}`, "c"},
		"under another alias": {`{"log":{"cursor":"c"}}`, "c"},
		"not asked for":       {`{"deliveryLog":{"at":"x"}}`, ""},
		"under another name":  {`{"deliveryLog":{"c":"c"}}`, ""},
		"something else":      {`{"viewer":"x"}`, ""},
		"no data":             {``, ""},
		"null":                {`null`, ""},
	} {
		if got := cursorOf(&graphql.Response{Data: []byte(tt.data)}); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	if got := cursorOf(nil); got != "" {
		t.Errorf("no response: got %q", got)
	}
}

func TestInitConnection(t *testing.T) {
	t.Parallel()
	known := fixedCaller{caller: delivery.Caller{Name: "by header"}}
	byCookie := identity{delivery.Caller{Name: "by cookie"}, noon.Add(time.Hour), &http.Request{}}
	before := withIdentity(t.Context(), byCookie)
	for name, tt := range map[string]struct {
		payload map[string]any
		want    string
	}{
		"nothing":                 {nil, "by cookie"},
		"something else":          {map[string]any{"token": "x"}, "by cookie"},
		"not text":                {map[string]any{"Authorization": 7}, "by cookie"},
		"a header":                {map[string]any{"Authorization": "Bearer x"}, "by header"},
		"a header in another way": {map[string]any{"authorization": "Bearer x"}, "by header"},
		"an empty header":         {map[string]any{"Authorization": ""}, "by cookie"},
	} {
		ctx, _, err := initConnection(before, known, tt.payload)
		if err != nil || callerOf(ctx).Name != tt.want {
			t.Errorf("%s: %q calls, %v; want %q", name, callerOf(ctx).Name, err, tt.want)
		}
	}
	if _, end, _ := initConnection(before, known, nil); end != noon.Add(time.Hour) {
		t.Errorf("the session ends at %v, want its own end", end)
	}
	refusal := fixedCaller{err: delivery.Errorf(delivery.Unauthenticated, "", "No.")}
	ctx, _, err := initConnection(before, refusal, map[string]any{"Authorization": "x"})
	if err == nil || callerOf(ctx).Known() {
		t.Errorf("wrong credentials: %q calls, %v", callerOf(ctx).Name, err)
	}
}
