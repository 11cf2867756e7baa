package enttest

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// errNoServer says what to do, because it is read by the person who runs the tests on
// a new machine.
var errNoServer = errors.New("no PostgreSQL server is installed: run `make setup`, " +
	"or install it (Debian: apt-get install postgresql; macOS: brew install postgresql), " +
	"or set TEST_POSTGRES_URL to a server whose role may create databases")

// installFolders are where packages put a server without adding it to PATH.
func installFolders() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/usr/local/pgsql/bin",
	}
}

// findBinaries returns the folder that holds initdb and postgres: the one in
// path first, then the one pg_config names, then the newest of folders.
func findBinaries(ctx context.Context, path string, folders []string) (string, error) {
	var candidates []string
	candidates = append(candidates, filepath.SplitList(path)...)
	if config, err := exec.LookPath("pg_config"); err == nil {
		// A pg_config that fails is no reason to stop looking.
		if out, err := exec.CommandContext(ctx, config, "--bindir").Output(); err == nil {
			candidates = append(candidates, strings.TrimSpace(string(out)))
		}
	}
	var installed []string
	for _, pattern := range folders {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		installed = append(installed, found...)
	}
	slices.SortStableFunc(installed, func(a, b string) int { return cmp.Compare(version(b), version(a)) })

	for _, dir := range append(candidates, installed...) {
		if executable(dir, "initdb") && executable(dir, "postgres") {
			return dir, nil
		}
	}
	return "", errNoServer
}

// version returns the number that the folder above dir ends with, or 0.
func version(dir string) int {
	name := filepath.Base(filepath.Dir(dir))
	digits := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz-@")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

func executable(dir, name string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
