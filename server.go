// Command portalhooks is the webhook system for Portal: it takes Portal's
// events over GraphQL and delivers the messages that organizations asked for.
//
// Without arguments it serves. The other commands make API keys, submit events,
// watch deliveries in the terminal, simulate receivers and look after the
// database; "portalhooks --help" lists them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"portalhooks/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
