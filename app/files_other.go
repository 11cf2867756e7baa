//go:build !unix

package app

import "math"

// maxFiles returns how many files the system lets this process open.
func maxFiles() uint64 { return math.MaxInt64 }
