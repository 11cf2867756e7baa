//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Enabled is whether points can be hit at all.
const Enabled = true

// setting says where to die: a point, a colon, and the how manieth time.
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

// Hit kills the process when it is at p for the time that the environment
// names. It does not return then.
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
		os.Exit(3) // not what was asked for, and seen by who asked
	}
	select {}
}
