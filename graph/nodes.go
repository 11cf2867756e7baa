package graph

import (
	"context"
	"strings"

	"portalhooks/delivery"
	"portalhooks/graph/model"
)

// A nodeLoader loads objects of one type by the text of their ids, in order; nil for
// each that is not visible to the caller.
type nodeLoader func(ctx context.Context, texts []string) ([]model.Node, error)

// nodeLoaders returns the loaders by prefix of the id.
func (r *Resolver) nodeLoaders() map[string]nodeLoader {
	return map[string]nodeLoader{
		"org_": loader(delivery.ParseOrgID, r.organizationsOf),
		"itm_": loader(delivery.ParseItemID, r.itemsOf),
		"wh_":  loader(delivery.ParseWebhookID, r.webhooksOf),
		"whv_": loader(delivery.ParseVersionID, r.versionsOf),
		"evt_": loader(delivery.ParseEventID, r.eventsOf),
		"dlv_": loader(delivery.ParseDeliveryID, r.deliveriesOf),
		"att_": loader(delivery.ParseLogID, r.attemptNodes),
		model.EventTypePrefix: func(_ context.Context, texts []string) ([]model.Node, error) {
			return eventTypeNodes(texts), nil
		},
	}
}

// loader returns a nodeLoader that parses ids and loads objects by id.
func loader[I, T any, P interface {
	*T
	model.Node
}](
	parse func(string) (I, bool), load func(context.Context, []I) ([]P, error),
) nodeLoader {
	return func(ctx context.Context, texts []string) ([]model.Node, error) {
		var known []I
		var places []int
		for i, text := range texts {
			if id, ok := parse(text); ok {
				known, places = append(known, id), append(places, i)
			}
		}
		found, err := load(ctx, known)
		if err != nil {
			return nil, err
		}
		nodes := make([]model.Node, len(texts))
		for i, one := range found {
			if one != nil {
				nodes[places[i]] = one
			}
		}
		return nodes, nil
	}
}

// nodes loads objects of any type, with one call for each type.
func (r *Resolver) nodes(ctx context.Context, texts []string) ([]model.Node, error) {
	if err := signedIn(ctx); err != nil {
		return nil, err
	}
	byPrefix := map[string][]int{}
	for i, text := range texts {
		prefix := prefixOf(text)
		byPrefix[prefix] = append(byPrefix[prefix], i)
	}
	nodes := make([]model.Node, len(texts))
	loaders := r.nodeLoaders()
	for prefix, places := range byPrefix {
		load, ok := loaders[prefix]
		if !ok {
			continue
		}
		some := make([]string, len(places))
		for i, place := range places {
			some[i] = texts[place]
		}
		found, err := load(ctx, some)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			nodes[place] = found[i]
		}
	}
	return nodes, nil
}

func (r *Resolver) deliveriesOf(ctx context.Context, ids []delivery.DeliveryID) ([]*model.Delivery, error) {
	all, err := r.Service.DeliveriesByID(ctx, callerOf(ctx), ids)
	return model.NewDeliveries(all), err
}

func (r *Resolver) attemptNodes(ctx context.Context, ids []delivery.LogID) ([]*model.Attempt, error) {
	all, err := r.Service.EntriesByID(ctx, callerOf(ctx), ids)
	return model.NewAttempts(all), err
}

func (r *Resolver) versionsOf(
	ctx context.Context, ids []delivery.VersionID,
) ([]*model.WebhookVersion, error) {
	versions, webhooks, err := r.Service.VersionsByID(ctx, callerOf(ctx), ids)
	views := make([]*model.WebhookVersion, len(versions))
	for i, v := range versions {
		if v != nil {
			views[i] = &model.WebhookVersion{WebhookVersion: *v, Org: webhooks[i].Org}
		}
	}
	return views, err
}

func eventTypeNodes(texts []string) []model.Node {
	nodes := make([]model.Node, len(texts))
	for i, text := range texts {
		name := delivery.EventType(strings.TrimPrefix(text, model.EventTypePrefix))
		if info, ok := delivery.TypeInfoOf(name); ok {
			nodes[i] = &model.EventType{TypeInfo: info}
		}
	}
	return nodes
}

// prefixOf returns the prefix of an id, which names its type, such as "wh_".
func prefixOf(id string) string {
	prefix, _, _ := strings.Cut(id, "_")
	return prefix + "_"
}
