package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
)

// Reports that say how many devices their operation has leave its own event to
// the report that brings the last of them. Nothing is remembered in between: the
// events of the devices are counted in the database, after those of the report are
// stored. Of two servers that store the last two devices at the same time, the
// later to commit therefore sees both. A server that dies before it has counted
// has not answered, so the report comes again and counts.

// awaits reports whether the report waits for other devices of its operation.
func (in *submission) awaits() bool {
	return !in.rejected() && in.report.Operation != nil && in.report.Operation.ExpectedWorkspaces > 0
}

// findWholes looks for the events of whole operations, of which reports bring
// devices: those devices come after them.
func (g *Ingester) findWholes(ctx context.Context, submissions []submission) error {
	keys := make(map[delivery.OrgID][]string)
	for i := range submissions {
		in := &submissions[i]
		if o := in.report.Operation; !in.rejected() && o != nil && !o.Whole() {
			keys[in.org.ID] = append(keys[in.org.ID], delivery.OperationKey(o.OperationID))
		}
	}
	for org, keys := range keys {
		stored, err := g.events.StoredByKey(ctx, org, keys)
		if err != nil {
			return fmt.Errorf("look for the events of whole operations: %w", err)
		}
		for i := range submissions {
			if in := &submissions[i]; in.org.ID == org && in.report.Operation != nil {
				in.whole = stored[delivery.OperationKey(in.report.Operation.OperationID)]
			}
		}
	}
	return nil
}

// finish raises the event of each operation whose devices have all been reported.
// The last report of the operation in the call raises it.
func (g *Ingester) finish(ctx context.Context, submissions []submission) error {
	type operation struct {
		org delivery.OrgID
		id  string
	}
	finished := make(map[operation]bool)
	for i := range slices.Backward(submissions) {
		in := &submissions[i]
		if !in.awaits() {
			continue
		}
		o := operation{in.org.ID, in.report.Operation.OperationID}
		if in.whole.ID != 0 || finished[o] {
			continue
		}
		var err error
		if finished[o], err = g.finishOne(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// finishOne raises the event of the operation that in reports, if all its devices
// have been reported.
func (g *Ingester) finishOne(ctx context.Context, in *submission) (finished bool, err error) {
	r := in.report.Operation
	group := delivery.OperationGroup(in.org, r.OperationID)
	n, err := g.events.CountOfGroup(
		ctx, in.org.ID, group, delivery.OperationInWorkspace, r.ExpectedWorkspaces,
	)
	if err != nil {
		return false, fmt.Errorf("count the devices of an operation: %w", err)
	}
	if n < r.ExpectedWorkspaces {
		return false, nil
	}
	devices, err := g.storedDevices(ctx, in.org.ID, group)
	if err != nil {
		return false, err
	}
	// In the order of their ids, whatever order they came in.
	slices.SortFunc(devices, func(a, b deviceResult) int { return cmp.Compare(a.id, b.id) })
	x := newExpansion()
	x.org, x.report = in.named(), in.report
	f := x.global(r, group, devices)
	f.ItemID = in.facts[0].ItemID // every report of an operation has devices, of the same item
	in.facts, in.stored = append(in.facts, f), append(in.stored, delivery.Stored{})
	return true, g.storeParts(ctx, []part{{in, len(in.facts) - 1, len(in.facts)}})
}
