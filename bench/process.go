package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second // that a process may take to say where it listens
	endTime   = 20 * time.Second // that it may take to end before it is killed
)

// A child is a process of this program's own file.
type child struct {
	cmd    *exec.Cmd
	input  io.Closer // a sink ends when this does
	errors tail
	found  chan string   // gets what the output's first match of the pattern is
	ended  chan struct{} // closed when the process has ended
}

// spawn starts the program and waits for a line that matches pattern, whose
// first group it returns. The process ends at the latest when ctx does.
func spawn(
	ctx context.Context, program, dir string, env []string, pattern *regexp.Regexp, args ...string,
) (*child, string, error) {
	c := &child{found: make(chan string, 1), ended: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, program, args...) //nolint:gosec // this very program
	c.cmd.Dir, c.cmd.Env, c.cmd.Stderr = dir, append(foreign(os.Environ()), env...), &c.errors
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = endTime
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start %s: %w", strings.Join(args, " "), err)
	}
	go c.follow(output, pattern)
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case text := <-c.found:
		return c, text, nil
	case <-c.ended:
		err = errors.New("it ended")
	case <-timer.C:
		err = errors.New("it does not get ready")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, "", errors.Join(
		fmt.Errorf("start %s: %w: %s", strings.Join(args, " "), err, c.errors.text()), c.kill())
}

// follow reads the output to its end.
func (c *child) follow(output io.Reader, pattern *regexp.Regexp) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
			select {
			case c.found <- match[1]:
			default: // it was told already
			}
		}
	}
	_ = c.cmd.Wait() // how it ended is of no interest: it was told to
	close(c.ended)
}

// pid is the process's number.
func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the process to end and waits until it has.
func (c *child) stop() error {
	_ = c.input.Close()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not end: %s", c.cmd.Path, c.errors.text()), c.kill())
	}
}

// kill ends the process at once, as a crash would, and waits until it is gone.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.ended
	return nil
}

// foreign returns the environment without the program's own settings, which are
// not meant for the processes of a measurement.
func foreign(env []string) []string {
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, "PORTALHOOKS_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// tailSize is how much of a process's error output is kept.
const tailSize = 4 << 10

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements [io.Writer].
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - tailSize; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
