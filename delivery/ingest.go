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

// maxRounds is how often ingest matches again because the webhooks have
// changed between matching and storing.
const maxRounds = 8

// Ingest stores what Portal reports, once however often it is sent. The results
// are in the order of the reports: a bad report is rejected and does not keep
// the others from being accepted. Once Ingest returns, every event that it
// names is durable with all its deliveries. It returns LimitExceeded for more
// than MaxReports, and Unavailable when it is not known whether the reports
// were stored: they may be sent again, nothing is stored twice.
func (s *Service) Ingest(ctx context.Context, c Caller, reports []Report) ([]IngestResult, error) {
	ctx, span := s.tracer.ingest(ctx, len(reports))
	results, err := s.ingest(ctx, c, reports)
	s.tracer.ingested(span, results, err)
	return results, err
}

func (s *Service) ingest(ctx context.Context, c Caller, reports []Report) ([]IngestResult, error) {
	if err := c.checkPortal(); err != nil {
		return nil, err
	}
	if len(reports) > MaxReports {
		return nil, Errorf(LimitExceeded, "input", "Submit at most %d reports in one call.", MaxReports)
	}
	intakes := make([]intake, len(reports))
	for i := range reports {
		intakes[i].report = &reports[i]
		intakes[i].result.Errors = validateReport(&reports[i])
	}
	if err := s.locate(ctx, c, intakes); err != nil {
		return nil, err
	}
	if err := s.toFacts(ctx, intakes); err != nil {
		return nil, err
	}
	if err := s.storeIntakes(ctx, intakes); err != nil {
		return nil, err
	}
	results := make([]IngestResult, len(intakes))
	for i := range intakes {
		results[i] = intakes[i].answer()
	}
	s.metrics.ingested(results)
	return results, nil
}

// An intake is one report on its way in.
type intake struct {
	report *Report
	org    Organization
	facts  []fact
	stored []Stored // one for each fact
	result IngestResult
}

func (in *intake) rejected() bool { return len(in.result.Errors) > 0 }

// locate finds the organization of each report, learning those that are not
// known yet.
func (s *Service) locate(ctx context.Context, c Caller, intakes []intake) error {
	allowed, err := s.scopeOf(ctx, c)
	if err != nil {
		return err
	}
	var wanted []namedOrg
	for i := range intakes {
		in := &intakes[i]
		if in.rejected() {
			continue
		}
		if err := s.resolveOpaque(ctx, in); err != nil {
			return err
		}
		id := in.report.OrganizationID
		if in.org.ID != 0 {
			id = in.org.ExternalID
		}
		if c.Scope != 0 && id != allowed.ExternalID {
			in.result.Errors = Errors{Errorf(NotFound, "organizationId",
				"There is no such organization, or this API key may not report for it.")}
			continue
		}
		wanted = append(wanted, namedOrg{id, cleaned(in.report.OrganizationName)})
		in.org.ExternalID = id
	}
	known, err := s.learner.organizations(ctx, wanted)
	if err != nil {
		return err
	}
	for i := range intakes {
		if !intakes[i].rejected() {
			intakes[i].org = known[intakes[i].org.ExternalID]
		}
	}
	return nil
}

// scopeOf returns the only organization that the caller may report for; the
// zero Organization without a scope.
func (s *Service) scopeOf(ctx context.Context, c Caller) (Organization, error) {
	if c.Scope == 0 {
		return Organization{}, nil
	}
	return s.organizationByID(ctx, c.Scope)
}

// resolveOpaque fills in the organization of a report that names it by our own
// id. What only looks like one is Portal's id.
func (s *Service) resolveOpaque(ctx context.Context, in *intake) error {
	id, ok := ParseOrgID(in.report.OrganizationID)
	if !ok {
		return nil
	}
	org, err := s.organizationByID(ctx, id)
	if CodeOf(err) == NotFound {
		return nil
	}
	in.org = org
	return err
}

// organizationByID reads an organization that may be in the configuration
// cache. It returns NotFound when there is none.
func (s *Service) organizationByID(ctx context.Context, id OrgID) (Organization, error) {
	config, err := s.configs.get(ctx, id)
	if err != nil {
		return Organization{}, err
	}
	return config.Org, nil
}

// toFacts finds out what the reports say.
func (s *Service) toFacts(ctx context.Context, intakes []intake) error {
	x := expansion{now: now()}
	inCall := make(map[GroupID][]deviceResult)
	for i := range intakes {
		in := &intakes[i]
		if in.rejected() {
			continue
		}
		earlier, err := s.earlier(ctx, in, inCall)
		if err != nil {
			return err
		}
		in.facts = x.facts(in.org, in.report, earlier)
		if err := s.learner.learn(ctx, in.org.ID, in.facts); err != nil {
			return err
		}
	}
	return nil
}

// event returns the i-th fact as an event that has no id yet.
func (in *intake) event(i int) Event {
	f := &in.facts[i]
	return Event{
		Org: in.org.ID, Type: f.Type, Item: f.ItemID, ItemName: called(f.Item), Group: f.Group,
		OccurredAt: f.At.UTC(), SourceEventID: in.report.SourceEventID, WorkspaceID: f.WorkspaceID,
		WorkspaceName: f.WorkspaceName, Variables: f.Variables,
	}
}

// earlier returns the devices of a complete operation that were reported
// before, also those of earlier reports of the same call.
func (s *Service) earlier(
	ctx context.Context, in *intake, inCall map[GroupID][]deviceResult,
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
	events, err := s.store.EventsOfGroup(ctx, in.org.ID, group, OperationInWorkspace, MaxWorkspaces)
	if err != nil {
		return nil, fmt.Errorf("read the devices that were reported before: %w", err)
	}
	return append(earlierDevices(events), inCall[group]...), nil
}

// answer sums up what the store did with the report.
func (in *intake) answer() IngestResult {
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
func (in *intake) clashes(f *fact, stored Stored) bool {
	return f.Fingerprint != 0 && f.Fingerprint != stored.Fingerprint
}

func (in *intake) conflict() *Error {
	if in.report.Operation != nil {
		return Errorf(Conflict, "event.operation.operationId",
			"This operation was reported as complete before, with other values. An operation is reported once.")
	}
	return Errorf(Conflict, "sourceEventId",
		"Another event was reported with this id before. Give each event an id of its own.")
}
