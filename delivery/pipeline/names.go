package pipeline

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// rename takes over the names in reports that raised something, in the order in
// which it happened, so that the last one wins. A re-send says nothing new and
// renames nothing. Names are a convenience: when they can't be stored, the reports
// are answered all the same, and the next ones have the names too.
func (g *Ingester) rename(ctx context.Context, submissions []submission) error {
	now := delivery.Now()
	var fresh []*submission
	for i := range submissions {
		if in := &submissions[i]; in.isFresh() {
			fresh = append(fresh, in)
		}
	}
	slices.SortStableFunc(fresh, func(a, b *submission) int { return a.at(now).Compare(b.at(now)) })
	for i, in := range fresh {
		if err := g.renameAll(ctx, in, in.at(now), fresh[i+1:]); err != nil {
			g.metrics.Failed("register")
			g.enqueuer.log.ErrorContext(ctx, "take over the names in reports", "err", err)
			return nil
		}
	}
	return nil
}

// renameAll takes over the names in one report, except those that a later one of
// the call replaces.
func (g *Ingester) renameAll(
	ctx context.Context, in *submission, at time.Time, later []*submission,
) error {
	named := func(l *submission) bool { return l.org.ID == in.org.ID && l.report.OrganizationName != "" }
	if !slices.ContainsFunc(later, named) {
		name := delivery.Clean(in.report.OrganizationName)
		if err := g.register.RenameOrganization(ctx, in.org, name, at); err != nil {
			return err
		}
	}
	for i := range in.facts {
		f := &in.facts[i]
		if i > 0 && f.sameItem(&in.facts[i-1]) {
			continue
		}
		if err := g.register.RenameItem(ctx, in.org.ID, f.Kind, f.Item, at); err != nil {
			return err
		}
	}
	return nil
}

// at is when the report happened, which is not later than now.
func (in *submission) at(now time.Time) time.Time {
	if at := in.report.OccurredAt; !at.IsZero() && at.Before(now) {
		return at
	}
	return now
}
