package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"portalhooks/app"
)

// versionCmd prints the version.
type versionCmd struct{}

// Run prints the version, the Go release and the commit.
func (versionCmd) Run(_ context.Context, t terminal) error {
	info, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintf(t.out, "portalhooks %s %s\n", app.Version(), info.GoVersion)
	return err
}
