package bench

import (
	"context"
	"errors"
	"fmt"
)

// storage measures the size of a successful delivery in the database: its event and
// its log entry, with the indexes.
func (b *bench) storage(ctx context.Context) (err error) {
	fx, err := b.newFixture(ctx, 1, endpoints)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fx.drop(ctx)) }()
	n := b.o.size(500, 20_000, 100_000)
	before, err := fx.stored(ctx)
	if err != nil {
		return err
	}
	e, err := fx.open(ctx, false)
	if err != nil {
		return err
	}
	if err := e.run(ctx, func(ctx context.Context) error { return b.deliver(ctx, e, n) }); err != nil {
		return err
	}
	after, err := fx.stored(ctx)
	if err != nil {
		return err
	}
	each := (after - before) / float64(n)
	b.report.add(Figure{
		Name: "storage", Title: "stored per successful delivery", Value: each, Unit: "bytes", Score: each,
		Note: fmt.Sprintf("event and log with their indexes, after %d deliveries of one event each.", n),
	})
	return nil
}

// deliver submits n events to the engine and waits for their deliveries.
func (b *bench) deliver(ctx context.Context, e *engine, n int) error {
	load := b.o.shape()
	for sent := 0; sent < n; sent += load.batch {
		// Deliveries in flight must fit in memory.
		if err := e.finish(ctx, int64(sent-load.ahead)); err != nil {
			return err
		}
		if err := e.ingest(ctx, b.reports(endpoints, load.batch)); err != nil {
			return err
		}
	}
	return e.finish(ctx, int64(n))
}
