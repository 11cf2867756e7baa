package enttest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// watch ends the server when the test process is gone. The test process holds
// the other end of its standard input: a line means that the server has been
// stopped and reaped in good order, the end of input that no process is left to
// do so.
const watch = `read -r _ && exit
kill -QUIT "$1"
while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
rm -rf "$2"`

// An account is who the server runs as. PostgreSQL refuses to run as root, so
// root runs it as another one.
type account struct {
	uid, gid int
	switched bool
}

// serverAccount returns the account for the server of this process.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return account{}, fmt.Errorf("read user id of %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return account{}, fmt.Errorf("read group id of %s: %w", name, err)
		}
		return account{uid: uid, gid: gid, switched: true}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root and there is no user named postgres or nobody")
}

// attributes keep the signals of the terminal away from the server: the test
// process, or its watch, decides when it ends.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// environment leaves out the PG variables of the person who runs the tests.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// A process is one run of a server and the watch beside it.
type process struct {
	pid   int
	watch int      // process id of the watch
	held  *os.File // the watch ends the server when this is closed
	gone  bool
}

// launch starts argv in dir as who. Its output is appended to log.
func launch(who account, dir string, argv []string, log *os.File) (*process, error) {
	pid, err := spawn(who, dir, argv, log, log)
	if err != nil {
		return nil, err
	}
	p := &process{pid: pid}
	input, held, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, p.end(syscall.SIGQUIT, time.Minute))
	}
	defer input.Close()
	p.held = held
	argv = []string{"/bin/sh", "-c", watch, "sh", strconv.Itoa(pid), dir}
	if p.watch, err = spawn(who, dir, argv, input, nil); err != nil {
		return nil, errors.Join(err, p.end(syscall.SIGQUIT, time.Minute))
	}
	return p, nil
}

// spawn starts argv and returns its process id. The caller reaps it with
// [syscall.Wait4], which needs no goroutine to be waited for without blocking.
func spawn(who account, dir string, argv []string, input, output *os.File) (int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	if input == output {
		input = null
	}
	if output == nil {
		output = null
	}
	child, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir:   dir,
		Env:   environment(),
		Files: []*os.File{input, output, output},
		Sys:   who.attributes(),
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", argv[0], err)
	}
	pid := child.Pid
	return pid, child.Release()
}

// exited reports whether the server has ended, and reaps it when it has.
func (p *process) exited() bool {
	if p.gone {
		return true
	}
	pid, err := syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
	p.gone = pid == p.pid || errors.Is(err, syscall.ECHILD)
	return p.gone
}

// end sends the server s and waits until it has exited; a server that takes
// longer than patience is killed. Then it dismisses the watch.
func (p *process) end(s syscall.Signal, patience time.Duration) error {
	var late error
	for deadline := time.Now().Add(patience); !p.exited(); s = 0 {
		if s != 0 {
			if err := syscall.Kill(p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("signal server %d: %w", p.pid, err)
			}
		}
		if time.Now().After(deadline) {
			late = fmt.Errorf("server %d did not stop within %s and was killed", p.pid, patience)
			deadline = deadline.Add(patience)
			if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
				return errors.Join(late, err)
			}
		}
		<-time.After(5 * time.Millisecond)
	}
	return errors.Join(late, p.dismiss())
}

// dismiss tells the watch that its server has been reaped, and reaps it too.
func (p *process) dismiss() error {
	if p.held == nil {
		return nil
	}
	_, err := p.held.WriteString("stopped\n")
	err = errors.Join(err, p.held.Close())
	p.held = nil
	if p.watch == 0 {
		return err
	}
	for {
		_, waitErr := syscall.Wait4(p.watch, nil, 0, nil)
		if !errors.Is(waitErr, syscall.EINTR) {
			return errors.Join(err, waitErr)
		}
	}
}
