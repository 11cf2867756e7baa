package story

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/app"
	"portalhooks/delivery/seal"
	"portalhooks/test/harness"
)

// The encryption key is changed while the server serves: it gets the new key,
// everything is sealed with that, and the old key is removed. Deliveries are sent all
// the while.
func TestRekeyWhileServing(t *testing.T) {
	t.Parallel()
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		path := filepath.Join(r.Dir, app.DataFolder, app.KeyFileName)
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
			if err := r.Server.Stop(); err != nil {
				t.Fatal(err)
			}
			write(path, keys)
			r.Start(t)
		}
		l := harness.NewLedger()
		deliver := func(first, last int) {
			t.Helper()
			if err := harness.Load(t.Context(), r.Server, l, first, last); err != nil {
				t.Fatal(err)
			}
			r.Lost(t, l)
		}
		r.CreateWebhook(t, map[string]any{
			"eventType": "OBJECT_CREATED", "targetUrl": r.Witness.URL + "/?token=hush",
			"headers": []any{map[string]any{"name": "X-Key", "value": "hush"}},
		})
		deliver(0, 10)
		restart(string(was) + fresh)
		rekey := func() string { return r.Run(t, "rekey", "--encryption-key-file", turned) }
		// Those of the demo and the two of this test: a signing secret and a
		// target each, and a header.
		if got := rekey(); strings.HasPrefix(got, "Sealed 0 ") || !strings.Contains(got, " 0 were already") {
			t.Errorf("the first time: %s", got)
		}
		deliver(10, 20)
		if got := rekey(); !strings.HasPrefix(got, "Sealed 0 ") || strings.Contains(got, " 0 were already") {
			t.Errorf("the second time: %s", got)
		}
		restart(fresh)
		deliver(20, 30)
		r.Settled(t)
		if err := r.Server.Stop(); err != nil {
			t.Error(err)
		}
	})
}
