package pipeline

import (
	"context"

	"portalhooks/delivery"
)

// An Ingester accepts what Portal reports.
type Ingester struct {
	events   delivery.EventStore
	webhooks *WebhookCache
	register *register
	ids      *delivery.IDs
	metrics  *Metrics
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
	if err := g.expand(ctx, submissions); err != nil {
		return nil, err
	}
	if err := g.store(ctx, submissions); err != nil {
		return nil, err
	}
	results := make([]delivery.IngestResult, len(submissions))
	for i := range submissions {
		results[i] = submissions[i].answer()
	}
	g.metrics.ingested(results)
	return results, nil
}

// A submission is one report on its way in.
type submission struct {
	report *delivery.Report
	org    delivery.Organization
	facts  []fact
	stored []delivery.Stored // one for each fact
	result delivery.IngestResult
}

func (in *submission) rejected() bool { return len(in.result.Errors) > 0 }

// event returns the i-th fact as a new event with the id.
func (in *submission) event(i int, id delivery.EventID) delivery.NewEvent {
	f := &in.facts[i]
	return delivery.NewEvent{
		Event: delivery.Event{
			ID: id, ReceivedAt: delivery.IDTime(id),
			Org: in.org.ID, Type: f.Type, Item: f.ItemID, ItemName: f.Item.DisplayName(), Group: f.Group,
			OccurredAt: f.At.UTC(), SourceEventID: in.report.SourceEventID, WorkspaceID: f.WorkspaceID,
			WorkspaceName: f.WorkspaceName, Variables: f.Variables,
		},
		Key: f.Key, Fingerprint: f.Fingerprint,
		BySource: in.report.ActiveAlert != nil || in.report.ObjectChange != nil,
	}
}

// answer sums up what the store did with the report.
func (in *submission) answer() delivery.IngestResult {
	if in.rejected() {
		in.result.Status = delivery.Rejected
		return in.result
	}
	r := delivery.IngestResult{Status: delivery.Duplicated}
	for _, stored := range in.stored {
		if stored.Fresh {
			r.Status = delivery.Accepted
			break
		}
	}
	for i, stored := range in.stored {
		if r.Status == delivery.Duplicated && in.clashes(&in.facts[i], stored) {
			return delivery.IngestResult{Status: delivery.Rejected, Errors: delivery.Errors{in.conflict()}}
		}
		if stored.Fresh || r.Status == delivery.Duplicated {
			r.Events = append(r.Events, stored.ID)
			r.Deliveries += stored.Deliveries
		}
	}
	return r
}

// clashes reports whether a fact was stored before with other words. A device
// of an operation never clashes: what was said of it first has been sent.
func (in *submission) clashes(f *fact, stored delivery.Stored) bool {
	return f.Fingerprint != 0 && f.Fingerprint != stored.Fingerprint
}

func (in *submission) conflict() *delivery.Error {
	if in.report.Operation != nil {
		return delivery.Errorf(delivery.Conflict, "event.operation.operationId",
			"This operation was reported as complete before, with other values. An operation is reported once.")
	}
	return delivery.Errorf(delivery.Conflict, "sourceEventId",
		"Another event was reported with this id before. Give each event an id of its own.")
}
