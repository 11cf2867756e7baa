package enttest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	t.Setenv("PATH", root) // no pg_config from this machine
	install := func(name string, programs ...string) string {
		dir := filepath.Join(root, name, "bin")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range programs {
			if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	inPath := install("path/any", "initdb", "postgres")
	clientOnly := install("client/17", "psql", "initdb")
	nine := install("debian/9", "initdb", "postgres")
	fifteen := install("debian/15", "initdb", "postgres")
	homebrew := install("brew/postgresql@16", "initdb", "postgres")

	for name, tt := range map[string]struct {
		path    string
		folders []string
		want    string
	}{
		"path comes first":            {path: inPath, folders: []string{fifteen}, want: inPath},
		"a client is not a server":    {path: clientOnly, folders: []string{nine}, want: nine},
		"newest is chosen by number":  {folders: []string{filepath.Join(root, "debian/*/bin")}, want: fifteen},
		"version after a name counts": {folders: []string{nine, homebrew, fifteen}, want: homebrew},
		"relative path is left alone": {path: "debian/9/bin", folders: []string{fifteen}, want: fifteen},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := findBinaries(t.Context(), tt.path, tt.folders)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("found %s, want %s", got, tt.want)
			}
		})
	}
	if dir, err := findBinaries(t.Context(), clientOnly, nil); !errors.Is(err, errNoServer) {
		t.Errorf("found %q, %v without a server, want the error that says what to install", dir, err)
	}
}
