package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

// versionCmd prints the version.
type versionCmd struct{}

// Run prints the version, the Go release and the commit.
func (versionCmd) Run(_ context.Context, t terminal) error {
	info, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintf(t.out, "portalhooks %s %s\n", version(), info.GoVersion)
	return err
}

// version returns the module's version, with the commit where the build knows
// it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
