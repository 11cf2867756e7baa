package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"portalhooks/app"
	"portalhooks/delivery/receiver"
)

// receiverCmd runs simulated receivers, for trying out webhooks without a network.
type receiverCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8090"`
}

// Run serves until ctx ends.
func (c *receiverCmd) Run(ctx context.Context, t terminal) error {
	listener, err := app.Listen(ctx, c.Listen, "--listen")
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "Simulated receivers at http://%s/ (open it for the list)\n", listener.Addr())
	server := &http.Server{
		Handler:           receiver.New(receiver.Options{Log: t.out}),
		ReadHeaderTimeout: 5 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
