package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"portalhooks/delivery"
)

// exitUsage is the exit code for an invalid command line; 1 is for all other
// errors.
const exitUsage = 2

// Run runs one command line and returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr *os.File) int {
	cmd, err := parse(args, stdout, stderr)
	switch {
	case errors.Is(err, errHelpShown):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "portalhooks: %s\n", err)
		return exitUsage
	}
	// A second signal ends the process at once: by then ctx has ended.
	if err := cmd.Run(ctx, terminal{stdout, stderr}); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "portalhooks: %s\n", printableLines(explain(err)))
		return 1
	}
	return 0
}

// A terminal is where a command writes.
type terminal struct{ out, err *os.File }

// explain returns the text of err; of a delivery.Error, which is meant for people,
// only its message.
func explain(err error) string {
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
