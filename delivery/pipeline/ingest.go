package pipeline

import (
	"context"
	"slices"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
)

// An Ingester accepts what Portal reports.
type Ingester struct {
	events   delivery.EventStore
	webhooks *cache.Webhooks
	register *cache.Register
	ids      *delivery.IDs
	metrics  *Metrics
	told     func(org delivery.OrgID, deliveries int) // Options.Stored
	enqueuer *enqueuer
}

// Run stores events until ctx ends. Ingest waits for it.
func (g *Ingester) Run(ctx context.Context) error { return g.enqueuer.Run(ctx) }

// Enqueue stores events that were matched already, and returns what became of
// them. It returns Unavailable when ctx ends, or the server stops, before that is
// known.
func (g *Ingester) Enqueue(ctx context.Context, units []delivery.Ingest) ([]delivery.Ingested, error) {
	return g.enqueuer.enqueue(ctx, units)
}

// Ingest stores reports, once however often they are sent. The results are in
// the order of the reports: a bad report is rejected and does not keep the
// others from being accepted. Once Ingest returns, every event that it names is
// durable with all its deliveries. With a scope, reports of other organizations
// are rejected with NotFound. It returns LimitExceeded for more than MaxReports,
// and Unavailable when it is not known whether the reports were stored: they may
// be sent again, nothing is stored twice.
func (g *Ingester) Ingest(
	ctx context.Context, scope delivery.OrgID, reports []delivery.Report,
) ([]delivery.IngestResult, error) {
	if len(reports) > delivery.MaxReports {
		return nil, delivery.Errorf(
			delivery.LimitExceeded, "input", "Submit at most %d reports in one call.", delivery.MaxReports,
		)
	}
	submissions := make([]submission, len(reports))
	for i := range reports {
		submissions[i].report = &reports[i]
		submissions[i].result.Errors = validateReport(&reports[i])
	}
	if err := g.locate(ctx, scope, submissions); err != nil {
		return nil, err
	}
	err := g.raise(ctx, submissions)
	if scope != 0 {
		g.told(scope, newDeliveries(submissions))
	}
	if err != nil {
		return nil, err
	}
	results := make([]delivery.IngestResult, len(submissions))
	for i := range submissions {
		results[i] = submissions[i].answer()
	}
	g.metrics.ingested(results)
	return results, nil
}

// newDeliveries counts the deliveries of events that were stored now.
func newDeliveries(submissions []submission) int {
	n := 0
	for i := range submissions {
		for _, stored := range submissions[i].stored {
			if stored.Fresh {
				n += stored.Deliveries
			}
		}
	}
	return n
}

// raise stores the events of valid reports and what they fire.
func (g *Ingester) raise(ctx context.Context, submissions []submission) error {
	for _, step := range []func(context.Context, []submission) error{
		g.expand, g.findWholes, g.store, g.finish, g.rename,
	} {
		if err := step(ctx, submissions); err != nil {
			return err
		}
	}
	return nil
}

// locate finds the organization of each report, registering the ones that are not
// known yet. With a scope there is only one that may be named.
func (g *Ingester) locate(ctx context.Context, scope delivery.OrgID, submissions []submission) error {
	allowed, err := g.scopeOf(ctx, scope)
	if err != nil {
		return err
	}
	var wanted []string
	for i := range submissions {
		in := &submissions[i]
		if in.rejected() {
			continue
		}
		id := in.report.OrganizationID
		if opaque, ok := delivery.ParseOrgID(id); ok {
			if id, err = g.externalID(ctx, opaque, id); err != nil {
				return err
			}
		}
		if scope != 0 && id != allowed.ExternalID {
			in.result.Errors = delivery.Errors{delivery.Errorf(delivery.NotFound, "organizationId",
				"There is no such organization, or this API key may not report for it.")}
			continue
		}
		wanted = append(wanted, id)
		in.org.ExternalID = id
	}
	known, err := g.register.Organizations(ctx, wanted)
	if err != nil {
		return err
	}
	for i := range submissions {
		if in := &submissions[i]; !in.rejected() {
			org := known[in.org.ExternalID]
			in.org, in.newOrg = org.Organization, org.New
		}
	}
	return nil
}

// scopeOf returns the only organization that may be reported for; the zero
// Organization without a scope.
func (g *Ingester) scopeOf(ctx context.Context, scope delivery.OrgID) (delivery.Organization, error) {
	if scope == 0 {
		return delivery.Organization{}, nil
	}
	config, err := g.webhooks.Get(ctx, scope)
	if err != nil {
		return delivery.Organization{}, err
	}
	return config.Org, nil
}

// externalID returns Portal's id of an organization that a report names by
// Portalhooks' own one. What only looks like one is Portal's id.
func (g *Ingester) externalID(ctx context.Context, own delivery.OrgID, given string) (string, error) {
	config, err := g.webhooks.Get(ctx, own)
	if delivery.CodeOf(err) == delivery.NotFound {
		return given, nil
	}
	if err != nil {
		return "", err
	}
	return config.Org.ExternalID, nil
}

// Organization returns the organization that Portal names now, and registers it
// when it is not known yet. With a scope there is only one that may be named:
// others are NotFound.
func (g *Ingester) Organization(
	ctx context.Context, scope delivery.OrgID, id, name string,
) (delivery.Organization, error) {
	one := []submission{{report: &delivery.Report{OrganizationID: id, OrganizationName: name}}}
	if err := g.locate(ctx, scope, one); err != nil {
		return delivery.Organization{}, err
	}
	if one[0].rejected() {
		return delivery.Organization{}, one[0].result.Errors
	}
	org := one[0].org
	if name = delivery.Clean(name); name != "" {
		if err := g.register.RenameOrganization(ctx, org, name, delivery.Now()); err != nil {
			return delivery.Organization{}, err
		}
		org.Name = name
	}
	return org, nil
}

// ForgetItems drops what is remembered of an organization's items of one kind:
// their list has been replaced.
func (g *Ingester) ForgetItems(org delivery.OrgID, kind delivery.ItemKind) {
	g.register.Forget(org, kind)
}

// A submission is one report on its way in.
type submission struct {
	report *delivery.Report
	org    delivery.Organization
	newOrg bool // it was registered for this call
	facts  []fact
	stored []delivery.Stored // one for each fact
	whole  delivery.Stored   // the event of the whole operation, if an earlier call raised it
	result delivery.IngestResult
}

func (in *submission) rejected() bool { return len(in.result.Errors) > 0 }

// isFresh reports whether something of the report was stored by this call.
func (in *submission) isFresh() bool {
	return slices.ContainsFunc(in.stored, func(s delivery.Stored) bool { return s.Fresh })
}
