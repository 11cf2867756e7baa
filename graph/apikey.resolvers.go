package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// CreateAPIKey is the resolver for the createApiKey field.
func (r *mutationResolver) CreateAPIKey(ctx context.Context, input gen.CreateAPIKeyInput) (*gen.CreateAPIKeyPayload, error) {
	made, err := r.Service.CreateAPIKey(ctx, callerOf(ctx), input.OrganizationID, service.KeyInput{
		Name: input.Name, Role: input.Role, ExpiresAt: value(input.ExpiresAt),
	})
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.CreateAPIKeyPayload{UserErrors: problems}, err
	}
	return &gen.CreateAPIKeyPayload{
		APIKey: &model.APIKey{APIKey: made.Key}, Key: &made.Text, UserErrors: problems,
	}, nil
}

// RevokeAPIKey is the resolver for the revokeApiKey field.
func (r *mutationResolver) RevokeAPIKey(ctx context.Context, input gen.RevokeAPIKeyInput) (*gen.RevokeAPIKeyPayload, error) {
	id, err := parseID("id", "an API key", &input.ID, delivery.ParseKeyID)
	var revoked *delivery.APIKey
	if err == nil {
		revoked, err = r.Service.Keys.Revoke(ctx, callerOf(ctx), id)
	}
	problems, err := r.userErrors(ctx, err)
	if err != nil || len(problems) > 0 {
		return &gen.RevokeAPIKeyPayload{UserErrors: problems}, err
	}
	return &gen.RevokeAPIKeyPayload{APIKey: &model.APIKey{APIKey: *revoked}, UserErrors: problems}, nil
}

// APIKeys is the resolver for the apiKeys field.
func (r *organizationResolver) APIKeys(ctx context.Context, obj *model.Organization) ([]*model.APIKey, error) {
	keys, err := r.Service.Keys.List(ctx, callerOf(ctx), obj.Organization.ID)
	if err != nil {
		return nil, err
	}
	return model.NewAPIKeys(keys), nil
}
