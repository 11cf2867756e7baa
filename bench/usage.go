package bench

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks is how many times a second Linux counts CPU time, in what it shows to
// programs.
const ticks = 100

// A host tells how much CPU and memory processes take, from /proc. Without one
// it tells nothing.
type host struct {
	root       string           // /proc
	postmaster int              // the database server's first process; 0 for none here
	children   map[int]role     // by process
	gone       map[role]float64 // what those have used that have ended
}

// A role is what a process is for.
type role string

const (
	engineRole role = "engine" // this process
	serverRole role = "server"
	sinkRole   role = "sink"
	dataRole   role = "database"
)

func newHost() *host {
	h := &host{root: "/proc", children: map[int]role{}, gone: map[role]float64{}}
	h.watch(os.Getpid(), engineRole)
	return h
}

// watch counts a process from now on.
func (h *host) watch(pid int, r role) { h.children[pid] = r }

// forget ends that: the process is about to end.
func (h *host) forget(pid int) {
	if s, ok := h.stat(pid); ok {
		h.gone[h.children[pid]] += s.own
	}
	delete(h.children, pid)
}

// A reading is how many seconds of CPU were used until some time.
type reading struct {
	known bool
	at    time.Time
	used  map[role]float64
	busy  float64 // by the whole machine
	idle  float64
}

// read takes a reading.
func (h *host) read() reading {
	r := reading{at: time.Now(), used: map[role]float64{}}
	var ok bool
	if r.busy, r.idle, ok = h.machine(); !ok {
		return r
	}
	maps.Copy(r.used, h.gone)
	for pid, role := range h.children {
		if s, ok := h.stat(pid); ok {
			r.used[role] += s.own
		}
	}
	if h.postmaster != 0 {
		r.used[dataRole] = h.family(h.postmaster)
	}
	r.known = true
	return r
}

// machine returns the seconds that all CPUs were busy, and idle. What another
// virtual machine has stolen counts as busy.
func (h *host) machine() (busy, idle float64, ok bool) {
	text, err := os.ReadFile(filepath.Join(h.root, "stat"))
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, false
	}
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, 0, false
		}
		if i == 3 || i == 4 {
			idle += n / ticks
		} else {
			busy += n / ticks
		}
	}
	return busy, idle, true
}

// A stat is what a process has used, in seconds.
type stat struct {
	parent int
	own    float64
	dead   float64 // by its children that have ended
}

func (h *host) stat(pid int) (stat, bool) {
	text, err := os.ReadFile(filepath.Join(h.root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, false
	}
	// The name, in parentheses, may have anything in it.
	_, rest, found := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 15 {
		return stat{}, false
	}
	var numbers [5]float64
	for i, at := range []int{1, 11, 12, 13, 14} { // ppid utime stime cutime cstime
		if numbers[i], err = strconv.ParseFloat(fields[at], 64); err != nil {
			return stat{}, false
		}
	}
	return stat{
		parent: int(numbers[0]), own: (numbers[1] + numbers[2]) / ticks, dead: (numbers[3] + numbers[4]) / ticks,
	}, true
}

// family returns what a process and its children have used.
func (h *host) family(pid int) float64 {
	s, ok := h.stat(pid)
	if !ok {
		return 0
	}
	used := s.own + s.dead
	entries, _ := os.ReadDir(h.root) // it was readable a moment ago
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, ok := h.stat(child); ok && s.parent == pid {
			used += s.own
		}
	}
	return used
}

// peak returns the most memory that a process has had, in bytes; 0 when that
// can't be known.
func (h *host) peak(pid int) float64 {
	text, err := os.ReadFile(filepath.Join(h.root, strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	var kilobytes float64
	if _, err := fmt.Sscan(rest, &kilobytes); !found || err != nil {
		return 0
	}
	return kilobytes * 1024
}

// A usage is how much CPU was used between two readings.
type usage struct {
	known  bool
	used   map[role]float64 // seconds
	others float64          // the share of the machine's CPU that other programs took
}

// since returns what was used since an earlier reading.
func (h *host) since(from reading) usage {
	to := h.read()
	u := usage{known: from.known && to.known, used: map[role]float64{}}
	if !u.known {
		return u
	}
	ours := 0.0
	for role, seconds := range to.used {
		u.used[role] = max(0, seconds-from.used[role])
		ours += u.used[role]
	}
	all := to.busy - from.busy + to.idle - from.idle
	if all <= 0 {
		u.known = false
		return u
	}
	u.others = min(1, max(0, (to.busy-from.busy-ours)/all))
	return u
}

// share returns the share of others; nil when that can't be known.
func (u usage) share() *float64 {
	if !u.known {
		return nil
	}
	return &u.others
}

// perThousand returns the CPU seconds that the roles took for 1,000 of n; nil
// when that can't be known.
func (u usage) perThousand(n float64, roles ...role) *float64 {
	if !u.known || n <= 0 {
		return nil
	}
	seconds := 0.0
	for _, r := range roles {
		seconds += u.used[r]
	}
	seconds = seconds * 1000 / n
	return &seconds
}
