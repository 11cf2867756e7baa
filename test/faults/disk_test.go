package faults

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"portalhooks/test/harness"
)

// smallDisk is how large the disk of a test is: the log of writes alone takes
// 32 MB before it is written back.
const smallDisk = "64m"

// On a full disk the server refuses events and says why, keeps its database
// whole, and goes on by itself when there is space again: also when it is killed
// meanwhile.
func TestTortureDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		mountElsewhere(t)
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+smallDisk); err != nil {
		mountElsewhere(t)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount the disk of this test: %v", err)
		}
	})
	fillDisk(t, disk)
}

// nested says that a test runs in a namespace of its own already.
const nested = "TORTURE_NESTED"

// mountElsewhere runs the test again where it may mount: in a user namespace.
func mountElsewhere(t *testing.T) {
	t.Helper()
	if os.Getenv(nested) != "" {
		t.Fatal("this test needs a disk that it can fill, and may not mount one: run it as root, or allow " +
			"user namespaces")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", program,
		"-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), nested+"=1")
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, row, ok := strings.Cut(line, " fault "); ok {
			t.Attr("fault", strings.TrimSpace(row))
		}
	}
	if err != nil {
		t.Fatalf("run the test where it may mount a disk: %v\n%s", err, out)
	}
}

func fillDisk(t *testing.T, disk string) {
	const each = 50
	r := harness.PrepareRig(t, "", disk)
	r.Open(t)
	r.CreateWebhook(t, map[string]any{
		"eventType": "ACTIVE_ALERT", "targetUrl": r.Witness.URL, "template": `{"element": "#alert_element"}`,
	})
	r.Watch(t)
	l, next := harness.NewLedger(), 0
	result := Result{Fault: "disk full", Database: "sqlite", Rounds: Rounds(2, 10)}
	for round := range result.Rounds {
		first := next
		if err := harness.Load(t.Context(), r.Server, l, next, next+each); err != nil {
			t.Fatal(err)
		}
		ballast := stuff(t, disk)
		next = r.Refused(t, l, next+each)
		r.Ready(t, http.StatusServiceUnavailable)
		if _, body, err := harness.Get(t.Context(), r.Server.URL+"/readyz"); !strings.Contains(
			string(body), "disk",
		) {
			t.Errorf("/readyz says %s, %v, want that the disk is full", body, err)
		}
		killed := round%2 == 1
		var left harness.Remains
		if killed {
			if err := r.Server.Kill(); err != nil {
				t.Fatal(err)
			}
			left = r.Examine(t, l)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if killed {
			r.Start(t)
		}
		r.Ready(t, http.StatusOK)
		result.Recovery = max(result.Recovery, time.Since(began))
		result.Lost += r.Finish(t, l, first, next)
		if killed {
			result.Duplicated += r.CheckRepeats(t, left)
		}
	}
	again := result.Duplicated
	if result.Duplicated = r.Witness.Repeated(); result.Duplicated > again {
		t.Errorf("%d calls were repeated by a server that lived", result.Duplicated-again)
	}
	r.Saw(t)
	r.Witness.CheckIdentity(t)
	r.Stop(t)
	r.Examine(t, l)
	result.Note = "UNAVAILABLE, and 503 from /readyz; the file is whole; killed while full every second time"
	result.Report(t)
}

// stuff fills a disk to its last byte and returns the file that does.
func stuff(t *testing.T, disk string) string {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return path
}
