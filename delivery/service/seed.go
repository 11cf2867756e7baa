package service

import (
	"context"
	"fmt"

	"portalhooks/delivery"
)

// demoAuthor is who appears to have made the demo webhooks.
const demoAuthor = "demo"

// Seed fills an empty database with the demo data; one that has any
// organization is left as it is. The webhooks send to receiverBase + "/echo/"
// and their slug.
func (s *Service) Seed(ctx context.Context, receiverBase string) error {
	slice, err := s.store.Organizations(ctx, nil, "", delivery.Page{First: 1})
	if err != nil {
		return fmt.Errorf("look for organizations: %w", err)
	}
	if len(slice.Items) > 0 {
		return nil
	}
	demo := delivery.Demo()
	known := make([]delivery.Organization, len(demo.Organizations))
	for i, org := range demo.Organizations {
		if known[i], err = s.pipeline.Ingester.Organization(ctx, 0, org.ID, org.Name); err != nil {
			return err
		}
	}
	org := known[0]
	portal := delivery.Caller{Name: demoAuthor, Portal: true}
	for kind, items := range demo.Items {
		_, err := s.SyncItems(ctx, portal, SyncItemsInput{
			OrganizationID: org.ExternalID, Kind: kind, Items: items, Complete: true,
		})
		if err != nil {
			return fmt.Errorf("seed items of kind %s: %w", kind, err)
		}
	}
	for _, w := range demo.Webhooks {
		if err := s.seedWebhook(ctx, org, w, receiverBase); err != nil {
			return fmt.Errorf("seed the webhook %q: %w", w.Name, err)
		}
	}
	return nil
}

func (s *Service) seedWebhook(
	ctx context.Context, org delivery.Organization, w delivery.DemoWebhook, receiverBase string,
) error {
	status := w.Status
	if info, ok := delivery.TypeInfoOf(w.Type); ok && info.ItemKind == delivery.OperationItem {
		// The catalogue shows one of these disabled. Here both are enabled, so
		// that the Restart example sends all it can: one message for the
		// operation and one for each of its devices.
		status = delivery.Enabled
	}
	selection := SelectionInput{All: w.AllItems}
	if !w.AllItems {
		selection.ExternalIDs = w.Items
	}
	_, err := s.create(ctx, delivery.Caller{Name: demoAuthor, Kind: delivery.BySystem}, org, CreateWebhookInput{
		Name: w.Name, Type: w.Type, TargetURL: receiverBase + "/echo/" + w.Slug, Selection: selection,
		Status: status,
	})
	return err
}
