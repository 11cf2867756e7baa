package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
	"portalhooks/ent/sqldb"
)

// errKeyGone means that a key was stored when its event was about to be, and was
// discarded before it could be read: the batch is stored again.
var errKeyGone = errors.New("an event's key was discarded meanwhile")

// errSlotLost means that another server has the slot of the one that stores events:
// it makes the same ids.
var errSlotLost error = delivery.Errorf(delivery.NotFound, "",
	"The lease of this server has ended. Another server has taken its slot.")

// Ingest implements [delivery.Queue]. Events are identified by their key, so a
// batch whose commit got lost is stored again without harm: an event that has
// its own id was stored by this call.
func (q *Queue) Ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	failpoint.Hit(failpoint.IngestBeforeInsert)
	for try := 1; ; try++ {
		results, err := q.db.ingest(ctx, owner, lease, batch)
		if errors.Is(err, errKeyGone) && try < maxIngestTries {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("store events: %w", sqldb.Unavailable(err))
		}
		failpoint.Hit(failpoint.IngestAfterCommit)
		return results, nil
	}
}

// maxIngestTries bounds how often a batch is stored.
const maxIngestTries = 8

// A keyed is the event that has a key now.
type keyed struct {
	event       delivery.EventID
	fingerprint uint64
	deliveries  int
}

// stored returns the result of e when k has its key.
func stored(e *delivery.NewEvent, k keyed) delivery.Stored {
	return delivery.Stored{
		ID: k.event, Fresh: k.event == e.Event.ID, Fingerprint: k.fingerprint, Deliveries: k.deliveries,
	}
}

// isLeased reports whether d is stored leased to the server that stores it.
func isLeased(d *delivery.Delivery) bool { return d.State == delivery.Sending && !d.Ordered }
