package bench

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// proc writes a /proc with a machine and some processes: each has a parent, and
// ticks of its own and of its dead children.
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

func TestUsageTellsOursFromOthers(t *testing.T) {
	root := t.TempDir()
	h := &host{root: root, postmaster: 50, children: map[int]role{}, gone: map[role]float64{}}
	h.watch(10, engineRole)
	h.watch(20, serverRole)
	// user nice system idle iowait irq softirq steal
	proc(t, root, "1000 0 0 1000 0 0 0 0", map[int][3]int{
		10: {1, 100, 0}, 20: {10, 50, 0}, 50: {1, 5, 0}, 51: {50, 7, 0},
	})
	from := h.read()
	// The machine had four seconds, of which it was busy for three: ours took
	// two, and a backend of the database ended meanwhile.
	proc(t, root, "1250 0 20 1090 10 0 0 30", map[int][3]int{
		10: {1, 200, 0}, 20: {10, 110, 0}, 50: {1, 5, 30}, 51: {50, 17, 0},
	})
	u := h.since(from)
	if !u.known {
		t.Fatal("the usage is not known")
	}
	for role, want := range map[role]float64{engineRole: 1, serverRole: 0.6, dataRole: 0.4} {
		if got := u.used[role]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s used %v s, want %v", role, got, want)
		}
	}
	if want := 0.25; math.Abs(u.others-want) > 1e-9 {
		t.Errorf("others took %v, want %v", u.others, want)
	}
	if got := u.perThousand(500, serverRole, dataRole); got == nil || math.Abs(*got-2) > 1e-9 {
		t.Errorf("%v s for 1,000, want 2", got)
	}
	if got := h.peak(20); got != 512*1024 {
		t.Errorf("peak = %v, want 524288", got)
	}
}

func TestWithoutProcNothingIsKnown(t *testing.T) {
	h := &host{root: filepath.Join(t.TempDir(), "none"), children: map[int]role{}, gone: map[role]float64{}}
	h.watch(os.Getpid(), engineRole)
	u := h.since(h.read())
	if u.known || u.perThousand(100, engineRole) != nil || h.peak(os.Getpid()) != 0 {
		t.Errorf("usage = %+v, want nothing", u)
	}
	if s := newSample(10, 1e9, u, engineRole); s.cpu != nil || s.others != nil || s.rate != 10 {
		t.Errorf("sample = %+v, want a rate of 10 alone", s)
	}
}

// What a process has used does not become somebody else's when it ends.
func TestProcessesThatHaveEndedStayOurs(t *testing.T) {
	root := t.TempDir()
	h := &host{root: root, children: map[int]role{}, gone: map[role]float64{}}
	proc(t, root, "1000 0 0 1000 0 0 0 0", map[int][3]int{20: {10, 50, 0}})
	h.watch(20, serverRole)
	from := h.read()
	proc(t, root, "1100 0 0 1000 0 0 0 0", map[int][3]int{20: {10, 150, 0}})
	h.forget(20)
	if u := h.since(from); u.others != 0 || math.Abs(u.used[serverRole]-1) > 1e-9 {
		t.Errorf("the server used %v s and others %v, want 1 and nothing", u.used[serverRole], u.others)
	}
}
