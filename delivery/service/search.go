package service

import (
	"context"
	"errors"
	"time"

	"portalhooks/delivery"
)

// A list of deliveries with conditions that have no index is searched in windows
// of time, from its start on, until the page is full or searchTime has passed.
const (
	searchTime  = 2 * time.Second
	firstWindow = time.Minute
	quickWindow = 100 * time.Millisecond // a window that took less is followed by one four times as long
	slowWindow  = 500 * time.Millisecond // and one that took more by a quarter of it
)

// scans reports whether a filter has conditions that no index answers: each
// row of the time is read for them.
func scans(f *delivery.DeliveryFilter) bool {
	if f.Event != 0 || f.Group != "" {
		return false
	}
	return len(f.Outcomes) > 0 || f.StatusFrom > 0 || f.StatusTo > 0 || len(f.Triggers) > 0 ||
		len(f.Types) > 0 || f.Item != 0 || f.WorkspaceID != "" || f.Text != ""
}

// search lists deliveries with a filter that has no index. When the page can't be
// filled in time, its SearchedTo says how far the search came, and its End goes
// on from there.
func (s *Service) search(
	ctx context.Context, org delivery.OrgID, f delivery.DeliveryFilter, p delivery.Page,
) (delivery.Slice[delivery.Delivery], error) {
	began, size := time.Now(), p.First
	p.Window = firstWindow
	var all delivery.Slice[delivery.Delivery]
	for first := true; ; first = false {
		step := time.Now()
		part, err := s.store.Deliveries(ctx, org, f, p)
		if err != nil {
			return part, tooSlow(ctx, err)
		}
		part.HasPrev = first && part.HasPrev || !first && all.HasPrev
		part.Items, part.Cursors = append(all.Items, part.Items...), append(all.Cursors, part.Cursors...)
		all = part
		switch {
		case all.SearchedTo.IsZero():
			return all, nil
		case len(all.Items) == size:
			all.SearchedTo = time.Time{} // the page is full
			return all, nil
		case time.Since(began) >= searchTime:
			return all, nil
		}
		p.After, p.First = all.End, size-len(all.Items)
		p.Window = nextWindow(p.Window, time.Since(step))
	}
}

// nextWindow returns the length of the window after one that took so long.
func nextWindow(window, took time.Duration) time.Duration {
	const longest = 10 * 365 * 24 * time.Hour // more than all ids
	switch {
	case took < quickWindow:
		return min(4*window, longest)
	case took > slowWindow:
		return max(window/4, time.Second)
	}
	return window
}

// tooSlow tells the caller what to do about a list that took too long: the same
// request would take too long again.
func tooSlow(ctx context.Context, err error) error {
	if err == nil || delivery.CodeOf(err) != "" || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return delivery.Errorf(delivery.LimitExceeded, "filter",
		"The search took too long. Set createdAfter, and createdBefore for older deliveries, "+
			"so that less is searched.")
}
