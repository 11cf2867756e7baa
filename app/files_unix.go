//go:build unix

package app

import (
	"math"
	"syscall"
)

// maxFiles returns how many files the system lets this process open. Go has raised
// the limit as far as it may.
func maxFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt64
	}
	return uint64(limit.Cur) //nolint:unconvert // some systems have an int64
}
