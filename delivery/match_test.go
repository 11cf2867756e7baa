package delivery

import (
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	e := Event{Type: ActiveAlert, Item: 5, ReceivedAt: at}
	listening := WebhookVersion{Type: ActiveAlert, Listening: true, CreatedAt: at.Add(-time.Hour)}
	version := func(change func(*WebhookVersion)) WebhookVersion {
		v := listening
		v.Selection = Selection{Items: []ItemID{3, 5, 8}}
		change(&v)
		return v
	}
	for name, tt := range map[string]struct {
		version WebhookVersion
		want    MatchReason
	}{
		"selected":            {version(func(*WebhookVersion) {}), Matched},
		"all":                 {version(func(v *WebhookVersion) { v.Selection = Selection{All: true} }), Matched},
		"made at that moment": {version(func(v *WebhookVersion) { v.CreatedAt = at }), Matched},
		"changed later":       {version(func(v *WebhookVersion) { v.EndedAt = at.Add(1) }), Matched},
		"another item": {
			version(func(v *WebhookVersion) { v.Selection.Items = []ItemID{3, 8} }), ItemNotSelected,
		},
		"the zero selection": {version(func(v *WebhookVersion) { v.Selection = Selection{} }), ItemNotSelected},
		"another type":       {version(func(v *WebhookVersion) { v.Type = ObjectCreated }), OtherEventType},
		"disabled":           {version(func(v *WebhookVersion) { v.Listening = false }), WasDisabled},
		"made later": {
			version(func(v *WebhookVersion) { v.CreatedAt = at.Add(time.Millisecond) }),
			CreatedLater,
		},
		"deleted before": {
			version(func(v *WebhookVersion) { v.Deleted, v.EndedAt = true, at.Add(-1) }), WasDeleted,
		},
		"deleted afterwards": {
			version(func(v *WebhookVersion) { v.Deleted, v.EndedAt = true, at.Add(1) }),
			Matched,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Explain(&tt.version, &e); got != tt.want {
				t.Errorf("reason = %s, want %s", got, tt.want)
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	v := WebhookVersion{Type: ActiveAlert, Listening: true}
	for i := range 10_000 {
		v.Selection.Items = append(v.Selection.Items, ItemID(2*i+1))
	}
	e := Event{Type: ActiveAlert, Item: 15_001}
	b.ReportAllocs()
	for b.Loop() {
		if Match(&v, &e) != Matched {
			b.Fatal("no match")
		}
	}
}
