package graph

import (
	"portalhooks/delivery"
	"portalhooks/graph/gen"
)

func createInput(in *gen.CreateWebhookInput) delivery.CreateWebhookInput {
	return delivery.CreateWebhookInput{
		OrganizationID: in.OrganizationID, Name: in.Name, Type: in.EventType, TargetURL: in.TargetURL,
		Selection: selectionInput(in.Selection), Template: in.Template, Headers: headerInputs(in.Headers),
		Policy: policyInput(in.Policy), Status: in.Status,
	}
}

func updateInput(in *gen.UpdateWebhookInput) (delivery.UpdateWebhookInput, error) {
	id, err := parseID("id", "a webhook", &in.ID, delivery.ParseWebhookID)
	if err != nil {
		return delivery.UpdateWebhookInput{}, err
	}
	out := delivery.UpdateWebhookInput{
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

func selectionInput(in *gen.SelectionInput) delivery.SelectionInput {
	return delivery.SelectionInput{All: value(in.All), ItemIDs: in.ItemIds, ExternalIDs: in.ExternalIds}
}

func headerInputs(in []*gen.HeaderInput) []delivery.HeaderInput {
	out := make([]delivery.HeaderInput, len(in))
	for i, h := range in {
		out[i] = delivery.HeaderInput{Name: h.Name, Value: h.Value, Secret: h.Secret}
	}
	return out
}

func policyInput(in *gen.DeliveryPolicyInput) *delivery.PolicyInput {
	if in == nil {
		return nil
	}
	out := &delivery.PolicyInput{TimeoutSeconds: in.TimeoutSeconds, Stop4xx: in.StopOn4xx, TimeZone: in.TimeZone}
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
