//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Enabled reports whether the program is built with failpoints.
const Enabled = true

// setting is the environment variable with the point to kill the process at,
// followed by a colon and the ordinal of the hit.
const setting = "PORTALHOOKS_FAILPOINT"

var (
	plan = sync.OnceValues(func() (Point, int64) {
		point, count, _ := strings.Cut(os.Getenv(setting), ":")
		nth, err := strconv.ParseInt(count, 10, 64)
		if err != nil {
			nth = 1
		}
		return Point(point), nth
	})
	hits atomic.Int64
)

// Hit kills the process, and does not return, if p is the point in the environment
// and has been reached as often as it says.
func Hit(p Point) {
	point, nth := plan()
	if p != point || hits.Add(1) != nth {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		os.Exit(3) // not a SIGKILL: the test notices
	}
	select {}
}
