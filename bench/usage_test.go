package bench

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// proc writes a fake /proc with the machine's CPU times and some processes: the parent
// of each, its own ticks and those of its terminated children.
func proc(t *testing.T, root, machine string, processes map[int][3]int) {
	t.Helper()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("stat", "cpu  "+machine+" 0 0\ncpu0 1 2 3\n")
	for pid, p := range processes {
		id := strconv.Itoa(pid)
		write(id+"/stat", id+" (a ) name) S "+strconv.Itoa(p[0])+" 1 1 0 -1 0 0 0 0 0 "+
			strconv.Itoa(p[1])+" 0 "+strconv.Itoa(p[2])+" 0 20 0 1 0 100\n")
		write(id+"/status", "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t  512 kB\nVmRSS:\t 1 kB\n")
	}
}

func TestUsageExcludesOtherPrograms(t *testing.T) {
	root := t.TempDir()
	h := &procfs{root: root, postmaster: 50, children: map[int]role{}, ended: map[role]float64{}}
	h.watch(10, engineRole)
	h.watch(20, serverRole)
	// user nice system idle iowait irq softirq steal
	proc(t, root, "1000 0 0 1000 0 0 0 0", map[int][3]int{
		10: {1, 100, 0}, 20: {10, 50, 0}, 50: {1, 5, 0}, 51: {50, 7, 0},
	})
	from := h.read()
	// In four seconds the machine was busy for three, two of them with our processes.
	// A backend of the database has terminated meanwhile.
	proc(t, root, "1250 0 20 1090 10 0 0 30", map[int][3]int{
		10: {1, 200, 0}, 20: {10, 110, 0}, 50: {1, 5, 30}, 51: {50, 17, 0},
	})
	u := h.since(from)
	if !u.known {
		t.Fatal("the usage is unknown")
	}
	for role, want := range map[role]float64{engineRole: 1, serverRole: 0.6, dataRole: 0.4} {
		if got := u.used[role]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s used %v s, want %v", role, got, want)
		}
	}
	if want := 0.25; math.Abs(u.others-want) > 1e-9 {
		t.Errorf("others used %v, want %v", u.others, want)
	}
	if got := u.perThousand(500, serverRole, dataRole); got == nil || math.Abs(*got-2) > 1e-9 {
		t.Errorf("%v s for 1,000, want 2", got)
	}
	if got := h.peak(20); got != 512*1024 {
		t.Errorf("peak = %v, want 524288", got)
	}
}

func TestUsageIsUnknownWithoutProc(t *testing.T) {
	h := &procfs{root: filepath.Join(t.TempDir(), "none"), children: map[int]role{}, ended: map[role]float64{}}
	h.watch(os.Getpid(), engineRole)
	u := h.since(h.read())
	if u.known || u.perThousand(100, engineRole) != nil || h.peak(os.Getpid()) != 0 {
		t.Errorf("usage = %+v, want unknown", u)
	}
	if s := newSample(10, 1e9, u, engineRole); s.cpu != nil || s.others != nil || s.rate != 10 {
		t.Errorf("sample = %+v, want only a rate of 10", s)
	}
}

// The usage of a process that has ended is not attributed to other programs.
func TestUsageIncludesEndedProcesses(t *testing.T) {
	root := t.TempDir()
	h := &procfs{root: root, children: map[int]role{}, ended: map[role]float64{}}
	proc(t, root, "1000 0 0 1000 0 0 0 0", map[int][3]int{20: {10, 50, 0}})
	h.watch(20, serverRole)
	from := h.read()
	proc(t, root, "1100 0 0 1000 0 0 0 0", map[int][3]int{20: {10, 150, 0}})
	h.unwatch(20)
	if u := h.since(from); u.others != 0 || math.Abs(u.used[serverRole]-1) > 1e-9 {
		t.Errorf("the server used %v s and others %v, want 1 and 0", u.used[serverRole], u.others)
	}
}
