package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// IngestEvents is the resolver for the ingestEvents field.
func (r *mutationResolver) IngestEvents(ctx context.Context, input []*gen.PortalEventInput) (*gen.IngestPayload, error) {
	reports := reportsOf(ctx, input)
	if err := rateLimited(r.rateLimit(callerOf(ctx), eventsIn(reports))); err != nil {
		return nil, err
	}
	results, err := r.Service.Ingest(ctx, callerOf(ctx), reports)
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.IngestPayload{Results: []*gen.IngestResult{}, UserErrors: problems}, err
	}
	return r.ingestPayload(ctx, reports, results)
}

// SyncItems is the resolver for the syncItems field.
func (r *mutationResolver) SyncItems(ctx context.Context, input gen.SyncItemsInput) (*gen.SyncItemsPayload, error) {
	counts, err := r.Service.SyncItems(ctx, callerOf(ctx), syncInput(&input))
	problems, err := r.userErrors(ctx, err)
	return &gen.SyncItemsPayload{
		Created: int32(counts.Created), Updated: int32(counts.Updated), Unchanged: int32(counts.Unchanged),
		Missing: int32(counts.Missing), UserErrors: problems,
	}, err
}

// CreateWebhook is the resolver for the createWebhook field.
func (r *mutationResolver) CreateWebhook(ctx context.Context, input gen.CreateWebhookInput) (*gen.CreateWebhookPayload, error) {
	made, err := r.Service.CreateWebhook(ctx, callerOf(ctx), createInput(&input))
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.CreateWebhookPayload{Warnings: []*gen.Warning{}, UserErrors: problems}, err
	}
	warnings, err := r.warnings(ctx, made.Warnings)
	return &gen.CreateWebhookPayload{
		Webhook: model.NewWebhook(made.Webhook), Secret: &made.Secret, Warnings: warnings, UserErrors: problems,
	}, err
}

// UpdateWebhook is the resolver for the updateWebhook field.
func (r *mutationResolver) UpdateWebhook(ctx context.Context, input gen.UpdateWebhookInput) (*gen.WebhookPayload, error) {
	in, err := updateInput(&input)
	if err != nil {
		return r.webhookPayload(ctx, nil, err)
	}
	changed, err := r.Service.UpdateWebhook(ctx, callerOf(ctx), in)
	return r.webhookPayload(ctx, changed, err)
}

// DeleteWebhook is the resolver for the deleteWebhook field.
func (r *mutationResolver) DeleteWebhook(ctx context.Context, input gen.DeleteWebhookInput) (*gen.DeleteWebhookPayload, error) {
	id, err := parseID("id", "a webhook", &input.ID, delivery.ParseWebhookID)
	var canceled int
	if err == nil {
		canceled, err = r.Service.DeleteWebhook(ctx, callerOf(ctx), id)
	}
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.DeleteWebhookPayload{UserErrors: problems}, err
	}
	return &gen.DeleteWebhookPayload{DeletedID: &input.ID, Canceled: int32(canceled), UserErrors: problems}, nil
}

// SetWebhookStatus is the resolver for the setWebhookStatus field.
func (r *mutationResolver) SetWebhookStatus(ctx context.Context, input gen.SetWebhookStatusInput) (*gen.WebhookPayload, error) {
	id, err := parseID("id", "a webhook", &input.ID, delivery.ParseWebhookID)
	if err != nil {
		return r.webhookPayload(ctx, nil, err)
	}
	changed, err := r.Service.SetWebhookStatus(ctx, callerOf(ctx), service.SetStatusInput{
		ID: id, Status: input.Status, Hold: input.Hold, DropHeld: input.DropHeld,
		ExpectedVersion: int(value(input.ExpectedVersion)),
	})
	return r.webhookPayload(ctx, changed, err)
}

// RotateWebhookSecret is the resolver for the rotateWebhookSecret field.
func (r *mutationResolver) RotateWebhookSecret(ctx context.Context, input gen.RotateWebhookSecretInput) (*gen.WebhookSecretPayload, error) {
	id, err := parseID("id", "a webhook", &input.ID, delivery.ParseWebhookID)
	var made *service.CreatedWebhook
	if err == nil {
		made, err = r.Service.RotateWebhookSecret(ctx, callerOf(ctx), id, hours(input.KeepOldHours))
	}
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.WebhookSecretPayload{UserErrors: problems}, err
	}
	return &gen.WebhookSecretPayload{
		Webhook: model.NewWebhook(made.Webhook), Secret: &made.Secret, UserErrors: problems,
	}, nil
}

// TestWebhook is the resolver for the testWebhook field.
func (r *mutationResolver) TestWebhook(ctx context.Context, input gen.TestWebhookInput) (*gen.TestWebhookPayload, error) {
	in, err := testInput(&input)
	var result *service.TestResult
	if err == nil {
		result, err = r.Service.TestWebhook(ctx, callerOf(ctx), in)
	}
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.TestWebhookPayload{UserErrors: problems}, err
	}
	return testPayload(result), nil
}

// Redeliver is the resolver for the redeliver field.
func (r *mutationResolver) Redeliver(ctx context.Context, input gen.RedeliverInput) (*gen.RedeliverPayload, error) {
	wanted, err := parseIDs("ids", "a delivery", input.Ids, delivery.ParseDeliveryID)
	var made []*delivery.Delivery
	if err == nil {
		made, err = r.Service.Redeliver(ctx, callerOf(ctx), wanted, input.Message)
	}
	problems, err := r.userErrors(ctx, err)
	return &gen.RedeliverPayload{Deliveries: model.NewDeliveries(made), UserErrors: problems}, err
}

// Viewer is the resolver for the viewer field.
func (r *queryResolver) Viewer(ctx context.Context) (*gen.Viewer, error) {
	return r.viewer(ctx, callerOf(ctx))
}

// Organization is the resolver for the organization field.
func (r *queryResolver) Organization(ctx context.Context, id *string) (*model.Organization, error) {
	found, err := r.Service.Organization(ctx, callerOf(ctx), value(id))
	if delivery.CodeOf(err) == delivery.NotFound {
		return nil, nil
	}
	return model.NewOrganizations([]*delivery.Organization{found})[0], err
}

// Organizations is the resolver for the organizations field.
func (r *queryResolver) Organizations(ctx context.Context, search *string, first *int32, after *string) (*gen.OrganizationConnection, error) {
	page, err := pageOf(first, after, nil, nil)
	if err != nil {
		return nil, err
	}
	s, err := r.Service.Organizations(ctx, callerOf(ctx), value(search), page)
	if err != nil {
		return nil, err
	}
	return organizationConnection(s), nil
}

// Node is the resolver for the node field.
func (r *queryResolver) Node(ctx context.Context, id string) (model.Node, error) {
	found, err := r.nodes(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Nodes is the resolver for the nodes field.
func (r *queryResolver) Nodes(ctx context.Context, ids []string) ([]model.Node, error) {
	if len(ids) > delivery.MaxPageSize {
		return nil, delivery.Errorf(delivery.LimitExceeded, "ids", "At most %d ids.", delivery.MaxPageSize)
	}
	return r.nodes(ctx, ids)
}

// EventTypes is the resolver for the eventTypes field.
func (r *queryResolver) EventTypes(ctx context.Context) ([]*model.EventType, error) {
	if err := signedIn(ctx); err != nil {
		return nil, err
	}
	return eventTypes(delivery.EventTypes()), nil
}

// EventType is the resolver for the eventType field.
func (r *queryResolver) EventType(ctx context.Context, name delivery.EventType) (*model.EventType, error) {
	if err := signedIn(ctx); err != nil {
		return nil, err
	}
	info, _ := delivery.TypeInfoOf(name)
	return &model.EventType{TypeInfo: info}, nil
}

// Deliveries is the resolver for the deliveries field.
func (r *queryResolver) Deliveries(ctx context.Context, first *int32, after *string, last *int32, before *string, filter *gen.DeliveryFilter) (*gen.DeliveryConnection, error) {
	f, err := deliveryFilter(filter)
	if err != nil {
		return nil, err
	}
	return r.deliveries(ctx, 0, f, first, after, last, before)
}

// PreviewMessage is the resolver for the previewMessage field.
func (r *queryResolver) PreviewMessage(ctx context.Context, input gen.PreviewMessageInput) (*gen.MessagePreview, error) {
	in, err := previewInput(&input)
	if err != nil {
		return nil, err
	}
	preview, err := r.Service.PreviewMessage(ctx, callerOf(ctx), in)
	if err != nil {
		return nil, err
	}
	return messagePreview(preview), nil
}

// SystemStatus is the resolver for the systemStatus field.
func (r *queryResolver) SystemStatus(ctx context.Context) (*gen.SystemStatus, error) {
	status, err := r.Service.SystemStatus(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	return systemStatus(status), nil
}

// DeliveryLog is the resolver for the deliveryLog field.
func (r *subscriptionResolver) DeliveryLog(ctx context.Context, organizationID *string, after *string, filter *gen.DeliveryFilter) (<-chan model.DeliveryLogItem, error) {
	in, err := r.watchInput(ctx, organizationID, after, filter)
	if err != nil {
		return nil, err
	}
	items, err := r.Service.Watch(ctx, callerOf(ctx), in)
	if err != nil {
		return nil, err
	}
	return logItems(ctx, items), nil
}

// Mutation returns gen.MutationResolver implementation.
func (r *Resolver) Mutation() gen.MutationResolver { return &mutationResolver{r} }

// Query returns gen.QueryResolver implementation.
func (r *Resolver) Query() gen.QueryResolver { return &queryResolver{r} }

// Subscription returns gen.SubscriptionResolver implementation.
func (r *Resolver) Subscription() gen.SubscriptionResolver { return &subscriptionResolver{r} }

type (
	mutationResolver     struct{ *Resolver }
	queryResolver        struct{ *Resolver }
	subscriptionResolver struct{ *Resolver }
)
