//go:build unix

package http1

import "syscall"

// peek looks whether there is anything to read. If there is, it is lost.
func (c *conn) peek(fd uintptr) bool {
	var one [1]byte
	_, err := syscall.Read(int(fd), one[:])
	c.quiet = err == syscall.EAGAIN
	return true
}
