package delivery

import (
	"context"
	"fmt"
)

// An IngestStatus says what became of a report.
type IngestStatus string

// The statuses.
const (
	Accepted   IngestStatus = "ACCEPTED"  // it was new, at least in part
	Duplicated IngestStatus = "DUPLICATE" // all of it was stored before
	Rejected   IngestStatus = "REJECTED"  // nothing of it was stored
)

// An IngestResult is the answer to one report.
type IngestResult struct {
	Status IngestStatus
	// Events are those that the report raised; of a duplicate, those that the
	// same report raised before.
	Events     []EventID
	Deliveries int    // that Events caused
	Errors     Errors // when rejected; Field is the path inside the report
}

// An Ingester accepts what Portal reports.
type Ingester struct {
	events   EventStore
	webhooks *WebhookCache
	register *register
	ids      *IDs
	metrics  *Metrics
	enqueuer *enqueuer
}

// Ingest stores reports, once however often they are sent. The results are in
// the order of the reports: a bad report is rejected and does not keep the
// others from being accepted. Once Ingest returns, every event that it names is
// durable with all its deliveries. With a scope, reports of other organizations
// are rejected with NotFound. It returns LimitExceeded for more than MaxReports,
// and Unavailable when it is not known whether the reports were stored: they may
// be sent again, nothing is stored twice.
func (g *Ingester) Ingest(ctx context.Context, scope OrgID, reports []Report) ([]IngestResult, error) {
	if len(reports) > MaxReports {
		return nil, Errorf(LimitExceeded, "input", "Submit at most %d reports in one call.", MaxReports)
	}
	submissions := make([]submission, len(reports))
	for i := range reports {
		submissions[i].report = &reports[i]
		submissions[i].result.Errors = validateReport(&reports[i])
	}
	if err := g.locate(ctx, scope, submissions); err != nil {
		return nil, err
	}
	if err := g.expand(ctx, submissions); err != nil {
		return nil, err
	}
	if err := g.store(ctx, submissions); err != nil {
		return nil, err
	}
	results := make([]IngestResult, len(submissions))
	for i := range submissions {
		results[i] = submissions[i].answer()
	}
	g.metrics.ingested(results)
	return results, nil
}

// A submission is one report on its way in.
type submission struct {
	report *Report
	org    Organization
	facts  []fact
	stored []Stored // one for each fact
	result IngestResult
}

func (in *submission) rejected() bool { return len(in.result.Errors) > 0 }

// locate finds the organization of each report, registering those that are not
// known yet. With a scope there is only one that may be named.
func (g *Ingester) locate(ctx context.Context, scope OrgID, submissions []submission) error {
	allowed, err := g.scopeOf(ctx, scope)
	if err != nil {
		return err
	}
	var wanted []namedOrg
	for i := range submissions {
		in := &submissions[i]
		if in.rejected() {
			continue
		}
		if err := g.resolveOpaque(ctx, in); err != nil {
			return err
		}
		id := in.report.OrganizationID
		if in.org.ID != 0 {
			id = in.org.ExternalID
		}
		if scope != 0 && id != allowed.ExternalID {
			in.result.Errors = Errors{Errorf(NotFound, "organizationId",
				"There is no such organization, or this API key may not report for it.")}
			continue
		}
		wanted = append(wanted, namedOrg{id, cleaned(in.report.OrganizationName)})
		in.org.ExternalID = id
	}
	known, err := g.register.organizations(ctx, wanted)
	if err != nil {
		return err
	}
	for i := range submissions {
		if !submissions[i].rejected() {
			submissions[i].org = known[submissions[i].org.ExternalID]
		}
	}
	return nil
}

// scopeOf returns the only organization that may be reported for; the zero
// Organization without a scope.
func (g *Ingester) scopeOf(ctx context.Context, scope OrgID) (Organization, error) {
	if scope == 0 {
		return Organization{}, nil
	}
	config, err := g.webhooks.Get(ctx, scope)
	if err != nil {
		return Organization{}, err
	}
	return config.Org, nil
}

// resolveOpaque fills in the organization of a report that names it by our own
// id. What only looks like one is Portal's id.
func (g *Ingester) resolveOpaque(ctx context.Context, in *submission) error {
	id, ok := ParseOrgID(in.report.OrganizationID)
	if !ok {
		return nil
	}
	config, err := g.webhooks.Get(ctx, id)
	if CodeOf(err) == NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	in.org = config.Org
	return nil
}

// expand finds the facts that the reports state.
func (g *Ingester) expand(ctx context.Context, submissions []submission) error {
	x := expansion{now: now(), room: make(Variables, 0, 24)}
	inCall := make(map[GroupID][]deviceResult)
	for i := range submissions {
		in := &submissions[i]
		if in.rejected() {
			continue
		}
		earlier, err := g.earlier(ctx, in, inCall)
		if err != nil {
			return err
		}
		in.facts = x.facts(in.org, in.report, earlier)
		if err := g.register.items(ctx, in.org.ID, in.facts); err != nil {
			return err
		}
	}
	return nil
}

// event returns the i-th fact as a new event with the id.
func (in *submission) event(i int, id EventID) NewEvent {
	f := &in.facts[i]
	return NewEvent{
		Event: Event{
			ID: id, ReceivedAt: IDTime(id),
			Org: in.org.ID, Type: f.Type, Item: f.ItemID, ItemName: f.Item.DisplayName(), Group: f.Group,
			OccurredAt: f.At.UTC(), SourceEventID: in.report.SourceEventID, WorkspaceID: f.WorkspaceID,
			WorkspaceName: f.WorkspaceName, Variables: f.Variables,
		},
		Key: f.Key, Fingerprint: f.Fingerprint,
		BySource: in.report.ActiveAlert != nil || in.report.ObjectChange != nil,
	}
}

// earlier returns the devices of a complete operation that were reported
// before, also those of earlier reports of the same call.
func (g *Ingester) earlier(
	ctx context.Context, in *submission, inCall map[GroupID][]deviceResult,
) ([]deviceResult, error) {
	r := in.report.Operation
	if r == nil {
		return nil, nil
	}
	group := operationGroup(in.org, r.OperationID)
	if !r.Complete {
		inCall[group] = append(inCall[group], merged(r.Workspaces, nil)...)
		return nil, nil
	}
	events, err := g.events.EventsOfGroup(ctx, in.org.ID, group, OperationInWorkspace, MaxWorkspaces)
	if err != nil {
		return nil, fmt.Errorf("read the devices that were reported before: %w", err)
	}
	return append(earlierDevices(events), inCall[group]...), nil
}

// answer sums up what the store did with the report.
func (in *submission) answer() IngestResult {
	if in.rejected() {
		in.result.Status = Rejected
		return in.result
	}
	r := IngestResult{Status: Duplicated}
	for _, stored := range in.stored {
		if stored.Fresh {
			r.Status = Accepted
			break
		}
	}
	for i, stored := range in.stored {
		if r.Status == Duplicated && in.clashes(&in.facts[i], stored) {
			return IngestResult{Status: Rejected, Errors: Errors{in.conflict()}}
		}
		if stored.Fresh || r.Status == Duplicated {
			r.Events = append(r.Events, stored.ID)
			r.Deliveries += stored.Deliveries
		}
	}
	return r
}

// clashes reports whether a fact was stored before with other words. A device
// of an operation never clashes: what was said of it first has been sent.
func (in *submission) clashes(f *fact, stored Stored) bool {
	return f.Fingerprint != 0 && f.Fingerprint != stored.Fingerprint
}

func (in *submission) conflict() *Error {
	if in.report.Operation != nil {
		return Errorf(Conflict, "event.operation.operationId",
			"This operation was reported as complete before, with other values. An operation is reported once.")
	}
	return Errorf(Conflict, "sourceEventId",
		"Another event was reported with this id before. Give each event an id of its own.")
}

// Organization returns the organization that Portal names, and registers it when
// it is not known yet. With a scope there is only one that may be named: others
// are NotFound.
func (g *Ingester) Organization(ctx context.Context, scope OrgID, id, name string) (Organization, error) {
	one := []submission{{report: &Report{OrganizationID: id, OrganizationName: name}}}
	if err := g.locate(ctx, scope, one); err != nil {
		return Organization{}, err
	}
	if one[0].rejected() {
		return Organization{}, one[0].result.Errors
	}
	return one[0].org, nil
}

// ForgetItems drops what is remembered of an organization's items of one kind:
// their list has been replaced.
func (g *Ingester) ForgetItems(org OrgID, kind ItemKind) { g.register.forget(org, kind) }
