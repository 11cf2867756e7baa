//go:build !failpoints

package failpoint

// Enabled is whether points can be hit at all. Work that is done for a point
// alone is left out of the program where it is false.
const Enabled = false

// Hit does nothing.
func Hit(Point) {}
