package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// healthcheckCmd asks a server whether it is ready, for container runtimes.
type healthcheckCmd struct {
	URL string `name:"url" help:"URL of the server." default:"http://127.0.0.1:8080"`
}

// healthTimeout bounds the request.
const healthTimeout = 5 * time.Second

// Run fails when the server is not ready.
func (c *healthcheckCmd) Run(ctx context.Context, t terminal) error {
	if err := checkServer(c.URL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	server := strings.TrimSuffix(c.URL, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreachable(server, err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("the server is not ready: it answered " + resp.Status)
	}
	_, err = fmt.Fprintln(t.out, "ready")
	return err
}
