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

// ticks is the frequency of CPU times in /proc (USER_HZ).
const ticks = 100

// A procfs reads the CPU and memory usage of processes from /proc. On systems without
// /proc all usage is unknown.
type procfs struct {
	root       string           // /proc
	postmaster int              // process id of the database server; 0 if not on this machine
	children   map[int]role     // by process id
	ended      map[role]float64 // usage of former children
}

// A role is the purpose of a process.
type role string

const (
	engineRole role = "engine" // this process
	serverRole role = "server"
	sinkRole   role = "sink"
	dataRole   role = "database"
)

func newProcfs() *procfs {
	h := &procfs{root: "/proc", children: map[int]role{}, ended: map[role]float64{}}
	h.watch(os.Getpid(), engineRole)
	return h
}

// watch adds a process to its role.
func (h *procfs) watch(pid int, r role) { h.children[pid] = r }

// unwatch removes a process that is about to end. Its usage so far is kept.
func (h *procfs) unwatch(pid int) {
	if s, ok := h.stat(pid); ok {
		h.ended[h.children[pid]] += s.own
	}
	delete(h.children, pid)
}

// A reading has the CPU seconds used up to a time.
type reading struct {
	known bool
	at    time.Time
	used  map[role]float64
	busy  float64 // by the whole machine
	idle  float64
}

// read takes a reading.
func (h *procfs) read() reading {
	r := reading{at: time.Now(), used: map[role]float64{}}
	var ok bool
	if r.busy, r.idle, ok = h.machine(); !ok {
		return r
	}
	maps.Copy(r.used, h.ended)
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

// machine returns the busy and idle seconds of all CPUs. Time stolen by other virtual
// machines counts as busy.
func (h *procfs) machine() (busy, idle float64, ok bool) {
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

// A stat is the CPU usage of a process in seconds.
type stat struct {
	parent int
	own    float64
	reaped float64 // of its terminated children
}

func (h *procfs) stat(pid int) (stat, bool) {
	text, err := os.ReadFile(filepath.Join(h.root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, false
	}
	// The name, in parentheses, may contain any character.
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
		parent: int(numbers[0]), own: (numbers[1] + numbers[2]) / ticks, reaped: (numbers[3] + numbers[4]) / ticks,
	}, true
}

// family returns the usage of a process and its children.
func (h *procfs) family(pid int) float64 {
	s, ok := h.stat(pid)
	if !ok {
		return 0
	}
	used := s.own + s.reaped
	entries, _ := os.ReadDir(h.root) // was readable for stat
	for _, e := range entries {
		process, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, ok := h.stat(process); ok && s.parent == pid {
			used += s.own
		}
	}
	return used
}

// peak returns the peak memory of a process in bytes; 0 if unknown.
func (h *procfs) peak(pid int) float64 {
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

// A usage is the CPU usage between two readings.
type usage struct {
	known  bool
	used   map[role]float64 // seconds
	others float64          // share of the machine's CPU used by other programs
}

// since returns the usage since an earlier reading.
func (h *procfs) since(from reading) usage {
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

// share returns the share of other programs; nil if unknown.
func (u usage) share() *float64 {
	if !u.known {
		return nil
	}
	return &u.others
}

// perThousand returns the CPU seconds of the roles per 1,000 of n; nil if unknown.
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
