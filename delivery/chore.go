package delivery

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// A chore is work that is done at the start and then again and again.
type chore struct {
	name  string
	pause time.Duration
	do    func(ctx context.Context) error
}

// runChores does each chore in a goroutine of its own until ctx ends, and tells
// failed of errors.
func runChores(ctx context.Context, chores []chore, failed func(name string, err error)) error {
	var group errgroup.Group
	for _, c := range chores {
		group.Go(func() error {
			for {
				if err := c.do(ctx); err != nil && ctx.Err() == nil {
					failed(c.name, err)
				}
				if !sleep(ctx, c.pause) {
					return nil
				}
			}
		})
	}
	return group.Wait()
}
