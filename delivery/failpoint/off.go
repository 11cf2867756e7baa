//go:build !failpoints

package failpoint

// Enabled reports whether the program is built with failpoints. Code that only
// serves a point is eliminated when it is false.
const Enabled = false

// Hit does nothing.
func Hit(Point) {}
