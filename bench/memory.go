package bench

import (
	"context"
	"errors"
	"fmt"

	"portalhooks/delivery/loop"
)

// memory measures the peak memory of a server that delivers a long backlog.
func (b *bench) memory(ctx context.Context) (err error) {
	fx, err := b.newFixture(ctx, 1, endpoints)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fx.drop(ctx)) }()
	n := b.o.size(500, 50_000, 1_000_000)
	if err := b.backlog(ctx, fx, backlogSeeds, n); err != nil {
		return err
	}
	s, err := b.serve(ctx, fx)
	if err != nil {
		return err
	}
	loop.Sleep(ctx, 2*b.o.Duration)
	peak := b.procfs.peak(s.pid())
	done, err := s.delivered(ctx)
	if err := errors.Join(ctx.Err(), err, s.crash()); err != nil {
		return err
	}
	if peak == 0 {
		b.progress("nothing: this system does not report the memory of a process")
		return nil
	}
	const megabyte = 1 << 20
	b.report.add(Figure{
		Name: "memory", Title: "memory of a server with a backlog, peak", Value: peak / megabyte, Unit: "MB",
		Score: peak / megabyte,
		Note: fmt.Sprintf("%d deliveries queued, %d of them delivered; the goal is for 1,000,000 (--full).",
			n, done),
	})
	return nil
}
