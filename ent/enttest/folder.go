package enttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// makeFolder makes a folder for a server, where its account may read it: the
// temporary folder may be closed to everyone but its owner.
func makeFolder(who account, name string) (string, error) {
	parents := []string{os.TempDir()}
	if who.switched {
		parents = append(parents, "/tmp", "/var/tmp")
	}
	var failed error
	for _, parent := range parents {
		if who.switched && !open(parent) {
			failed = errors.Join(failed, fmt.Errorf("%s is closed to other users", parent))
			continue
		}
		dir, err := os.MkdirTemp(parent, "portalhooks-"+name+"-")
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if who.switched {
			return dir, os.Chown(dir, who.uid, who.gid)
		}
		return dir, nil
	}
	return "", fmt.Errorf("make a folder for %s: %w", name, failed)
}

// open reports whether every user may pass through dir and all above it.
func open(dir string) bool {
	dir, err := filepath.Abs(dir)
	for err == nil {
		info, statErr := os.Stat(dir)
		if statErr != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
	return false
}

// initialize makes the data folder. Another user of this machine needs the
// password: a superuser of PostgreSQL may run programs.
func (c *Cluster) initialize(ctx context.Context) error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	if c.who.switched {
		if err := os.Chown(secret, c.who.uid, c.who.gid); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.binaries, "initdb"), "-D", c.data(), "-U", "postgres",
		"-A", "password", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, environment(), c.who.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
