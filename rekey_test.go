package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/delivery/seal"
)

// The encryption key is changed while the server serves: it learns the new key,
// everything is sealed with that, and the old one is forgotten. Deliveries go
// out all the while.
func TestRekeyWhileServing(t *testing.T) {
	t.Parallel()
	onEveryKind(t, func(t *testing.T, r *rig) {
		path := filepath.Join(r.dir, dataFolder, keyFileName)
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := seal.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		fresh := seal.FormatKey(key) + "\n"
		turned := filepath.Join(t.TempDir(), "turned")
		write := func(file, text string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(turned, fresh+string(was))
		restart := func(keys string) {
			t.Helper()
			if err := r.server.stop(); err != nil {
				t.Fatal(err)
			}
			write(path, keys)
			r.start(t)
		}
		l := newLedger()
		deliver := func(first, last int) {
			t.Helper()
			if err := load(t.Context(), r.server, l, first, last); err != nil {
				t.Fatal(err)
			}
			r.lost(t, l)
		}
		r.createWebhook(t, map[string]any{
			"eventType": "OBJECT_CREATED", "targetUrl": r.witness.URL + "/?token=hush",
			"headers": []any{map[string]any{"name": "X-Key", "value": "hush"}},
		})
		deliver(0, 10)
		restart(string(was) + fresh)
		rekey := func() string { return r.run(t, "rekey", "--encryption-key-file", turned) }
		// Those of the demo and the two of this test: a signing secret and a
		// target each, and a header.
		if got := rekey(); strings.HasPrefix(got, "0 ") || !strings.Contains(got, " 0 were already") {
			t.Errorf("the first time: %s", got)
		}
		deliver(10, 20)
		if got := rekey(); !strings.HasPrefix(got, "0 ") || strings.Contains(got, " 0 were already") {
			t.Errorf("the second time: %s", got)
		}
		restart(fresh)
		deliver(20, 30)
		r.settled(t)
		if err := r.server.stop(); err != nil {
			t.Error(err)
		}
	})
}
