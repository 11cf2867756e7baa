package main

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

// patience bounds every wait of the stories. It is far more than any of them
// takes: reaching it means that what is waited for does not happen.
const patience = 30 * time.Second

// A process is a program that runs beside a test.
type process struct {
	cmd   *exec.Cmd
	out   printout
	err   printout
	ended chan struct{} // closed when the program has ended
	state error         // how it ended; read it after ended
}

// startProcess starts cmd. Whoever starts a process calls kill, which does
// nothing to one that has ended.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.err
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.state = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// waitFor waits until what c holds matches pattern and returns the submatches.
func (p *process) waitFor(c *printout, pattern *regexp.Regexp) ([]string, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		text, changed := c.read()
		if found := pattern.FindStringSubmatch(text); found != nil {
			return found, nil
		}
		select {
		case <-changed:
		case <-p.ended:
			// What it wrote last may be what is waited for.
			if text, _ := c.read(); pattern.MatchString(text) {
				continue
			}
			return nil, fmt.Errorf("%s ended (%s) without printing %q: %s",
				p.cmd.Path, p.cmd.ProcessState, pattern, p.transcript())
		case <-timer.C:
			return nil, fmt.Errorf("%s did not print %q: %s", p.cmd.Path, pattern, p.transcript())
		}
	}
}

// wait waits for the program's end and returns how it ended.
func (p *process) wait() error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.state != nil {
			return fmt.Errorf("%w: %s", p.state, p.transcript())
		}
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("it does not end: %s", p.transcript()), p.kill())
	}
}

// stop asks the program to end and waits until it has.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("it has ended by itself (%w): %s", err, p.transcript())
	}
	return p.wait()
}

// kill ends the program at once, as a crash would, and waits until it is gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

func (p *process) transcript() string {
	out, _ := p.out.read()
	err, _ := p.err.read()
	return fmt.Sprintf("\n[stdout]\n%s[stderr]\n%s", out, err)
}

// A printout keeps what a process writes and tells who waits for more.
type printout struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed by the next write; nil while nobody waits
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

// read returns the text so far, and a channel that is closed when there is
// more.
func (c *printout) read() (string, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.text.String(), c.changed
}

// eventually calls try until it reports true, an error, or patience ends.
func eventually(ctx context.Context, what string, try func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("this never came true: %s", what))
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
