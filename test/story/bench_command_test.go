package story

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"portalhooks/test/harness"
)

// benchmark returns the program's command bench, to be run in a folder of its
// own: whatever it leaves there is too much.
func benchmark(t *testing.T, database string, args ...string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	path, err := exec.LookPath("portalhooks")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	cmd = exec.CommandContext(t.Context(), path, append([]string{"bench", "--quick"}, args...)...)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+dir, "PORTALHOOKS_DATABASE="+database)
	return cmd, dir
}

// checkEmpty fails t when there is anything in dir.
func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// The figures themselves prove nothing here: the machine does other things.
func TestBenchMeasures(t *testing.T) {
	t.Parallel()
	for name, database := range harness.Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, dir := benchmark(t, database(t), "--json",
				"--only", "pipeline,drain,subscribers,ingest,fleet,latency,storage,growth")
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
			var report struct {
				Figures []struct {
					Name         string
					Value, Score float64
					Must         *float64
					Verdict      string
				}
			}
			if err := json.Unmarshal(out, &report); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			var names []string
			for _, f := range report.Figures {
				names = append(names, f.Name)
				// In a small database retention has less to do than it could.
				if f.Value <= 0 && f.Name != "growth-retention" {
					t.Errorf("%s is %v", f.Name, f.Value)
				}
				if (f.Must == nil) != (f.Verdict == "") {
					t.Errorf("%s: verdict %q with the goal %v", f.Name, f.Verdict, f.Must)
				}
			}
			// What figures are compared with is there as well.
			const want = "commits raw pipeline drain graphql subscribers ingest fleet latency storage " +
				"growth-claim growth-webhook growth-state growth-time growth-event growth-feed growth-stats " +
				"growth-retention"
			if got := strings.Join(names, " "); got != want {
				t.Errorf("figures %s, want %s", got, want)
			}
			checkEmpty(t, dir)
		})
	}
}

func TestBenchPrintsATable(t *testing.T) {
	t.Parallel()
	cmd, _ := benchmark(t, "", "--only", "claim,hanging,memory")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FIGURE", "OTHERS' CPU", "claim of 200, p50", "10 ms"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// An interrupted benchmark leaves neither files nor processes behind: the pipe of
// the errors, which such processes would hold open, closes.
func TestBenchStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	cmd, dir := benchmark(t, "", "--only", "graphql", "--rounds", "100", "--duration", "1m")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buffer := make([]byte, 256)
	for err == nil {
		var n int
		n, err = said.Read(buffer)
		text.Write(buffer[:n])
		if strings.Contains(text.String(), "measuring raw") {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by now
		}
	}
	_ = cmd.Wait() // being stopped is no success and no failure
	if !strings.Contains(text.String(), "measuring raw") {
		t.Errorf("it never came to measure: %s", text.String())
	}
	checkEmpty(t, dir)
}

func TestBenchRefusesUnknownMeasurements(t *testing.T) {
	t.Parallel()
	cmd, _ := benchmark(t, "", "--only", "speed")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), `unknown measurement "speed"`) {
		t.Errorf("%v: %s", err, said.String())
	}
}
