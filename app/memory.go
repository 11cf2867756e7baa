package app

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// PaceCollector lets the garbage collector run less often than Go's default,
// unless GOGC says otherwise: the live memory is small, and collecting took a
// sixth of the time at full speed. Where a control group limits the memory, the
// collector keeps within nine tenths of it, unless GOMEMLIMIT says otherwise.
func PaceCollector() {
	const percent = 400
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := groupMemory(os.DirFS("/")); limit < math.MaxInt64 {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}

// groupMemory returns the memory that the control groups of this process, by
// either version of Linux's interface, leave to it: MaxInt64 without a limit.
func groupMemory(root fs.FS) int64 {
	limit := int64(math.MaxInt64)
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return limit // not Linux
	}
	for line := range strings.Lines(string(groups)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(line, ":")
		mount, file := "sys/fs/cgroup", "memory.max"
		switch {
		case controllers == "":
		case strings.Contains(","+controllers+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// Any group above may have a lower limit. Inside of a container the mount is
		// often the group itself, and the path is the host's.
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			limit = min(limit, readLimit(root, path.Join(mount, group, file)))
			if group == "/" {
				break
			}
		}
	}
	return limit
}

// readLimit returns the number in the file, or MaxInt64.
func readLimit(root fs.FS, file string) int64 {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return math.MaxInt64
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit <= 0 || limit > 1<<60 {
		return math.MaxInt64 // "max", or the largest number of pages
	}
	return limit
}
