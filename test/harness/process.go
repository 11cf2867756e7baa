package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// Patience bounds every wait of the stories. It is far more than any of them
// takes: reaching it means that what is waited for does not happen.
const Patience = 2 * time.Minute

// A Process is a program that runs beside a test.
type Process struct {
	Cmd   *exec.Cmd
	Out   printout
	Err   printout
	Ended chan struct{} // closed when the program has ended
	State error         // how it ended; read it after ended
}

// StartProcess starts cmd. The caller calls Kill at the end, which does
// nothing to one that has ended.
func StartProcess(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, Ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.Out, &p.Err
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.State = cmd.Wait()
		close(p.Ended)
	}()
	return p, nil
}

// WaitFor waits until what c holds matches pattern and returns the submatches.
func (p *Process) WaitFor(c *printout, pattern *regexp.Regexp) ([]string, error) {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	for {
		text, changed := c.Read()
		if found := pattern.FindStringSubmatch(text); found != nil {
			return found, nil
		}
		select {
		case <-changed:
		case <-p.Ended:
			// What it wrote last may be what is waited for.
			if text, _ := c.Read(); pattern.MatchString(text) {
				continue
			}
			return nil, fmt.Errorf("%s ended (%s) without printing %q: %s",
				p.Cmd.Path, p.Cmd.ProcessState, pattern, p.Transcript())
		case <-timer.C:
			return nil, fmt.Errorf("%s did not print %q: %s", p.Cmd.Path, pattern, p.Transcript())
		}
	}
}

// Wait waits for the program's end and returns how it ended.
func (p *Process) Wait() error {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-p.Ended:
		if p.State != nil {
			return fmt.Errorf("%w: %s", p.State, p.Transcript())
		}
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("it does not end: %s", p.Transcript()), p.Kill())
	}
}

// Stop asks the program to end and waits until it has.
func (p *Process) Stop() error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("it has ended by itself (%w): %s", err, p.Transcript())
	}
	return p.Wait()
}

// Kill ends the program at once, as a crash would, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.Ended
	return nil
}

// Transcript returns what the process has printed, for a failed test.
func (p *Process) Transcript() string {
	out, _ := p.Out.Read()
	err, _ := p.Err.Read()
	return fmt.Sprintf("\n[stdout]\n%s[stderr]\n%s", out, err)
}

// A printout keeps what a process writes and wakes a reader that waits for more.
type printout struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed by the next write; nil while no reader waits
}

// Write implements [io.Writer].
func (c *printout) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	return c.text.Write(b)
}

// Read returns the text so far, and a channel that is closed when there is
// more.
func (c *printout) Read() (string, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.text.String(), c.changed
}

// Eventually calls try until it reports true, an error, or patience ends.
func Eventually(ctx context.Context, what string, try func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, fmt.Errorf("this never came true: %s", what))
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := try(ctx)
		if cause := context.Cause(ctx); cause != nil && !done {
			return errors.Join(cause, err)
		}
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
