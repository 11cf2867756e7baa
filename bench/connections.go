package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery/loop"
)

// connections measures the number of database connections of a busy server.
func (b *bench) connections(ctx context.Context) error {
	if b.databases.kind == sqliteKind {
		return nil // a SQLite file has no server
	}
	return b.withServer(ctx, 1, endpoints, func(s *serverProcess) error {
		l := startLoad(ctx, b.o.shape(), nil, func(ctx context.Context, n int) error {
			return s.ingest(ctx, 0, n, noMark)
		})
		most, err := s.fixture.mostConnections(ctx, b.o.Duration)
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

// connectionPause is the interval of polling.
const connectionPause = 50 * time.Millisecond

// mostConnections returns the maximum number of connections of other processes to the
// database during d.
func (fx *fixture) mostConnections(ctx context.Context, d time.Duration) (most int, err error) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		n, err := fx.connections(ctx)
		if err != nil {
			return 0, fmt.Errorf("count connections: %w", err)
		}
		most = max(most, n)
		if !loop.Sleep(ctx, connectionPause) {
			return 0, ctx.Err()
		}
	}
	return most, nil
}
