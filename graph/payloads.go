package graph

import (
	"context"
	"slices"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

func (r *Resolver) viewer(ctx context.Context, c delivery.Caller) (*gen.Viewer, error) {
	if err := signedIn(ctx); err != nil {
		return nil, err
	}
	granted := make([]delivery.OrgID, 0, len(c.Grants))
	for org := range c.Grants {
		granted = append(granted, org)
	}
	slices.Sort(granted)
	orgs, err := r.organizationsOf(ctx, granted)
	if err != nil {
		return nil, err
	}
	out := &gen.Viewer{Name: c.Name, Operator: c.Operator, Portal: c.Portal, Grants: []*gen.Grant{}}
	for i, org := range orgs {
		if org != nil {
			out.Grants = append(out.Grants, &gen.Grant{Organization: org, Role: c.Grants[granted[i]]})
		}
	}
	return out, nil
}

func (r *Resolver) ingestPayload(
	ctx context.Context, reports []delivery.Report, results []delivery.IngestResult,
) (*gen.IngestPayload, error) {
	payload := &gen.IngestPayload{
		Results: make([]*gen.IngestResult, len(results)), UserErrors: []*gen.UserError{},
	}
	for i, result := range results {
		problems := make([]*gen.UserError, len(result.Errors))
		for j, e := range result.Errors {
			var err error
			if problems[j], err = r.userError(ctx, e); err != nil {
				return nil, err
			}
		}
		payload.Results[i] = &gen.IngestResult{
			SourceEventID: reports[i].SourceEventID, Status: result.Status, EventIds: idTexts(result.Events),
			Deliveries: int32(result.Deliveries), UserErrors: problems, Warnings: reportWarnings(result.Warnings),
		}
	}
	return payload, nil
}

func reportWarnings(all []delivery.Warning) []*gen.Warning {
	out := make([]*gen.Warning, len(all))
	for i, w := range all {
		out[i] = &gen.Warning{Code: string(w.Code), Message: w.Message, Field: optional(w.Field)}
	}
	return out
}

func (r *Resolver) webhookPayload(
	ctx context.Context, changed *service.UpdatedWebhook, failure error,
) (*gen.WebhookPayload, error) {
	problems, err := r.userErrors(ctx, failure)
	if err != nil || len(problems) > 0 {
		return &gen.WebhookPayload{Warnings: []*gen.Warning{}, UserErrors: problems}, err
	}
	warnings, err := r.warnings(ctx, changed.Warnings)
	return &gen.WebhookPayload{
		Webhook: model.NewWebhook(changed.Webhook), Canceled: int32(changed.Canceled), Warnings: warnings,
		UserErrors: problems,
	}, err
}

func (r *Resolver) overlapsOf(ctx context.Context, all []*delivery.Webhook) ([][]*model.Webhook, error) {
	found, err := r.Service.Overlaps(ctx, callerOf(ctx), all)
	if err != nil {
		return nil, err
	}
	out := make([][]*model.Webhook, len(found))
	for i := range found {
		out[i] = model.NewWebhooks(found[i])
	}
	return out, nil
}

func webhookHealth(
	h delivery.WebhookHealth, b delivery.Backlog, c service.Counts,
) *gen.WebhookHealth {
	return &gen.WebhookHealth{
		LastSuccessAt: &h.LastSuccessAt, LastFailureAt: &h.LastFailureAt, FailingSince: &h.FailingSince,
		DisablesAt: &h.DisablesAt,
		Breaker:    h.Breaker, BreakerOpenUntil: &h.OpenUntil,
		Pending: int32(b.Pending), Held: int32(b.Held), Releasing: int32(b.Releasing),
		Last24Hours: deliveryCounts(c),
	}
}

// evaluations makes the webhooks siblings, so that their fields are loaded in one
// call.
func eventTypes(all []delivery.TypeInfo) []*model.EventType {
	out := make([]*model.EventType, len(all))
	for i, info := range all {
		out[i] = &model.EventType{TypeInfo: info}
	}
	return out
}

func testPayload(t *service.TestResult) *gen.TestWebhookPayload {
	return &gen.TestWebhookPayload{
		Delivery: model.NewDelivery(t.Delivery), Attempt: model.NewAttempts([]*delivery.LogEntry{t.Entry})[0],
		Message: &t.Message, Request: &t.Request, UserErrors: []*gen.UserError{},
	}
}

func messagePreview(p *service.Preview) *gen.MessagePreview {
	out := &gen.MessagePreview{
		Bytes: int32(p.Bytes), Errors: []*gen.TemplateProblem{}, Warnings: []*gen.TemplateProblem{},
	}
	for _, one := range p.Problems {
		problem := &gen.TemplateProblem{
			Code: string(one.Code), Message: one.Message, Line: int32(one.Line), Column: int32(one.Column),
		}
		if one.Blocks() {
			out.Errors = append(out.Errors, problem)
		} else {
			out.Warnings = append(out.Warnings, problem)
		}
	}
	if len(out.Errors) == 0 {
		out.Message = &p.Message
	}
	return out
}

func systemStatus(s *service.SystemStatus) *gen.SystemStatus {
	out := &gen.SystemStatus{
		Pending: int32(s.Queue.Pending), Leased: int32(s.Queue.Leased), Held: int32(s.Queue.Held),
		OldestDue: &s.Queue.OldestDue, Workers: int32(s.Workers), BusyWorkers: int32(s.Busy),
		Database: s.Database, Version: s.Version, StartedAt: s.StartedAt, Replicas: []*gen.Replica{},
	}
	for _, m := range s.Members {
		out.Replicas = append(out.Replicas, &gen.Replica{
			Name: m.Name, Slot: int32(m.Owner.Slot), StartedAt: m.StartedAt, SeenAt: m.SeenAt,
		})
	}
	return out
}

func pointersTo(all [][]delivery.Header) [][]*delivery.Header {
	out := make([][]*delivery.Header, len(all))
	for i := range all {
		out[i] = addresses(all[i])
	}
	return out
}

// idTexts returns the text of ids.
func idTexts[T interface{ String() string }](ids []T) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}
