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
	startTimeout = 30 * time.Second // until a process prints its address
	stopTimeout  = 20 * time.Second // until a process that was stopped is killed
)

// A process is a child process that runs this program.
type process struct {
	cmd    *exec.Cmd
	input  io.Closer // closing it ends a sink
	errors tail
	found  chan string   // receives the first match of the pattern in the output
	ended  chan struct{} // closed when the process has exited
}

// spawn starts the program, waits for a line of output that matches pattern, and
// returns its first group. The process is stopped when ctx ends.
func spawn(
	ctx context.Context, program, dir string, env []string, pattern *regexp.Regexp, args ...string,
) (*process, string, error) {
	c := &process{found: make(chan string, 1), ended: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, program, args...) //nolint:gosec // the program itself
	c.cmd.Dir, c.cmd.Env, c.cmd.Stderr = dir, append(withoutSettings(os.Environ()), env...), &c.errors
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = stopTimeout
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
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case text := <-c.found:
		return c, text, nil
	case <-c.ended:
		err = errors.New("it exited")
	case <-timer.C:
		err = errors.New("it was not ready in time")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, "", errors.Join(
		fmt.Errorf("start %s: %w: %s", strings.Join(args, " "), err, c.errors.text()), c.kill())
}

// follow reads the output to its end.
func (c *process) follow(output io.Reader, pattern *regexp.Regexp) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
			select {
			case c.found <- match[1]:
			default: // already found
			}
		}
	}
	_ = c.cmd.Wait() // the exit status of a stopped process is irrelevant
	close(c.ended)
}

// pid returns the process id.
func (c *process) pid() int { return c.cmd.Process.Pid }

// stop terminates the process gracefully and waits for its exit.
func (c *process) stop() error {
	_ = c.input.Close()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not exit: %s", c.cmd.Path, c.errors.text()), c.kill())
	}
}

// kill kills the process, as a crash would, and waits for its exit.
func (c *process) kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.ended
	return nil
}

// withoutSettings returns the environment without the program's settings, which do not
// apply to the processes of a measurement.
func withoutSettings(env []string) []string {
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, "PORTALHOOKS_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// maxTail bounds the error output kept of a process, in bytes.
const maxTail = 4 << 10

// A tail keeps the end of the data written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements [io.Writer].
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - maxTail; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
