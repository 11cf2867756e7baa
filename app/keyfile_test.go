package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The start says so when everyone on the machine can read the encryption keys.
func TestAKeyFileForEveryoneIsLogged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "portalhooks.key")
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		c := &Settings{EncryptionKeyFile: path}
		c.warnOfKeyFile(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), "chmod 600"); got != want {
			t.Errorf("%s: logged %t, want %t: %s", mode, got, want, &log)
		}
	}
}
