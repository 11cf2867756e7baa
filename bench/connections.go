package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// connections measures how many connections to the database a busy server
// holds.
func (b *bench) connections(ctx context.Context) error {
	if b.server.kind == sqliteKind {
		return nil // its file is nobody else's
	}
	return b.withServer(ctx, 1, endpoints, func(s *served) error {
		l := startLoad(ctx, b.o.shape(), nil, func(ctx context.Context, n int) error {
			return s.ingest(ctx, 0, n, noMark)
		})
		most, err := s.world.mostConnections(ctx, b.o.Duration)
		if err := errors.Join(err, l.end()); err != nil {
			return err
		}
		b.report.add(Figure{
			Name: "connections", Title: "connections of a busy server", Value: float64(most),
			Unit: "connections", Score: float64(most),
		})
		return nil
	})
}

// connectionPause is between two looks.
const connectionPause = 50 * time.Millisecond

// mostConnections returns the most connections that others have had to the
// database at once.
func (w *world) mostConnections(ctx context.Context, d time.Duration) (most int, err error) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		n, err := w.connections(ctx)
		if err != nil {
			return 0, fmt.Errorf("count connections: %w", err)
		}
		most = max(most, n)
		if err := wait(ctx, connectionPause); err != nil {
			return 0, err
		}
	}
	return most, nil
}
