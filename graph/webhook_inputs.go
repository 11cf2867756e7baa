package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
)

func createInput(in *gen.CreateWebhookInput) service.CreateWebhookInput {
	return service.CreateWebhookInput{
		OrganizationID: in.OrganizationID, Name: in.Name, Type: in.EventType, TargetURL: in.TargetURL,
		Selection: selectionInput(in.Selection), Template: in.Template, Headers: headerInputs(in.Headers),
		Policy: policyInput(in.Policy), Status: in.Status,
	}
}

func updateInput(in *gen.UpdateWebhookInput) (service.UpdateWebhookInput, error) {
	id, err := parseID("id", "a webhook", &in.ID, delivery.ParseWebhookID)
	if err != nil {
		return service.UpdateWebhookInput{}, err
	}
	out := service.UpdateWebhookInput{
		ID: id, ExpectedVersion: int(in.ExpectedVersion), Name: in.Name, TargetURL: in.TargetURL,
		Template: in.Template, Policy: policyInput(in.Policy),
	}
	if in.Selection != nil {
		s := selectionInput(in.Selection)
		out.Selection = &s
	}
	if in.Headers != nil {
		h := headerInputs(in.Headers)
		out.Headers = &h
	}
	return out, nil
}

func selectionInput(in *gen.SelectionInput) service.SelectionInput {
	return service.SelectionInput{All: value(in.All), ItemIDs: in.ItemIds, ExternalIDs: in.ExternalIds}
}

func headerInputs(in []*gen.HeaderInput) []service.HeaderInput {
	out := make([]service.HeaderInput, len(in))
	for i, h := range in {
		out[i] = service.HeaderInput{Name: h.Name, Value: h.Value, Secret: h.Secret}
	}
	return out
}

func policyInput(in *gen.DeliveryPolicyInput) *service.PolicyInput {
	if in == nil {
		return nil
	}
	out := &service.PolicyInput{
		TimeoutSeconds: in.TimeoutSeconds, Stop4xx: in.StopOn4xx, TimeZone: in.TimeZone,
		Concurrency: number(in.Concurrency), PerMinute: number(in.MaxPerMinute), Ordered: in.Ordered,
	}
	if pauses, set := in.RetrySeconds.ValueOK(); set {
		out.RetrySet = true
		if pauses != nil {
			out.RetrySeconds = make([]int, len(pauses))
		}
		for i, p := range pauses {
			out.RetrySeconds[i] = int(p)
		}
	}
	return out
}

// number converts a number in an update: nil if it is omitted, and 0, which stands
// for the default, if it is null. A given 0 becomes -1, which the service refuses.
func number(in graphql.Omittable[*int32]) *int {
	n, set := in.ValueOK()
	switch {
	case !set:
		return nil
	case n == nil:
		return new(int)
	case *n == 0:
		return new(-1)
	}
	return new(int(*n))
}
