//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package ent

import (
	"errors"
	"os"
)

// lockAlone fails: this system has no lock that ends with its process.
func lockAlone(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// lockShared fails like lockAlone.
func lockShared(*os.File) error { return errors.ErrUnsupported }
