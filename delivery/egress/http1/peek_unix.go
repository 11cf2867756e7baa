//go:build unix

package http1

import "syscall"

// peek sets quiet if there is nothing to read. If there is, it consumes a byte.
func (c *conn) peek(fd uintptr) bool {
	var one [1]byte
	_, err := syscall.Read(int(fd), one[:])
	c.quiet = err == syscall.EAGAIN
	return true
}
