package api

import (
	"maps"

	"portalhooks/test/harness"
)

// isolationCases asks by every argument that takes an id or a cursor.
func isolationCases() map[string]isolationCase {
	all := queryCases()
	maps.Copy(all, organizationCases())
	maps.Copy(all, webhookCases())
	maps.Copy(all, deliveryMutationCases())
	maps.Copy(all, keyCases())
	maps.Copy(all, portalCases())
	maps.Copy(all, subscriptionCases())
	return all
}

func asked(queries ...string) isolationCase { return isolationCase{queries: queries} }

func position(query string) isolationCase {
	return isolationCase{queries: []string{query}, cursor: true}
}

func asOperator(w *harness.World) string { return w.Operator }

func asAdmin(w *harness.World) string { return w.A.Admin }

func queryCases() map[string]isolationCase {
	all := map[string]isolationCase{
		"Query.viewer": asked(
			`{ viewer { name operator portal grants { role organization { id externalId name } } } }`,
		),
		"Query.systemStatus": asked(`{ systemStatus { database replicas { name } } }`),
		"Query.eventTypes":   asked(`{ eventTypes { id name } }`),
		"Query.eventType":    asked(`{ eventType(name: ACTIVE_ALERT) { id variables { name sample } } }`),
		"Query.organization(id)": asked(
			`{ organization(id: @organization) { id name webhooks { totalCount } } }`,
			`{ organization(id: @externalId) { id name webhooks { totalCount } } }`),
		"Query.organizations(after)": position(
			`{ organizations(after: @organizationCursor) { nodes { id name } } }`,
		),
		"Query.node(id)": asked(
			`{ node(id: @organization) { id } }`, `{ node(id: @item) { id } }`, `{ node(id: @webhook) { id } }`,
			`{ node(id: @version) { id } }`, `{ node(id: @event) { id } }`, `{ node(id: @delivery) { id } }`,
			`{ node(id: @attempt) { id } }`),
		"Query.nodes(ids)": asked(
			`{ nodes(ids: [@webhook, ~webhook, @organization, @item, @version, @event, @delivery, @attempt, "x"]) { __typename id } }`,
		),
		"Query.previewMessage(input.organizationId)": asked(
			`{ previewMessage(input: {organizationId: @organization, eventType: ACTIVE_ALERT}) { message } }`,
			`{ previewMessage(input: {organizationId: @externalId, eventType: ACTIVE_ALERT}) { message } }`),
		"Query.previewMessage(input.webhookId)": asked(`{ previewMessage(input: {
			organizationId: ~organization, eventType: ACTIVE_ALERT, webhookId: @webhook}) { message } }`),
		"Query.previewMessage(input.eventId)": asked(`{ previewMessage(input: {
			organizationId: ~organization, eventType: ACTIVE_ALERT, eventId: @event}) { message } }`),
	}
	maps.Copy(all, filterCases("Query.deliveries", "deliveries", "%s"))
	for name, c := range all {
		if c.knows = asAdmin; len(name) > 16 && name[:16] == "Query.deliveries" {
			c.knows = asOperator
		}
		all[name] = c
	}
	all["Query.deliveries(after)"] = position(`{ deliveries(after: @deliveryCursor) { nodes { id } } }`)
	all["Query.deliveries(before)"] = position(
		`{ deliveries(last: 5, before: @deliveryCursor) { nodes { id } } }`)
	return all
}

// deliveryFilters gives a condition for each argument of DeliveryFilter that
// names something.
var deliveryFilters = map[string]string{
	"webhookIds": `webhookIds: [@webhook]`, "eventId": `eventId: @event`, "groupId": `groupId: @group`,
	"itemId": `itemId: @item`, "workspaceId": `workspaceId: @workspaceId`,
}

// filterCases asks for a list of deliveries by every condition. Field is the
// list; around has it in its place in a query.
func filterCases(coordinate, field, around string) map[string]isolationCase {
	all := map[string]isolationCase{}
	for name, condition := range deliveryFilters {
		list := field + `(filter: {` + condition + `}) { nodes { id webhook { name } } pageInfo { hasNextPage } }`
		all[coordinate+"(filter."+name+")"] = asked("{ " + replaceOnce(around, list) + " }")
	}
	return all
}

func organizationCases() map[string]isolationCase {
	const own = `organization(id: ~organization) { %s }`
	of := func(field string) string { return "{ " + replaceOnce(own, field) + " }" }
	all := map[string]isolationCase{
		"Organization.webhooks(after)": position(of(`webhooks(after: @webhookCursor) { nodes { id name } }`)),
		"Organization.webhooks(before)": position(
			of(`webhooks(last: 5, before: @webhookCursor) { nodes { id name } }`)),
		"Organization.webhooks(filter.itemId)": asked(
			of(`webhooks(filter: {itemId: @item}) { totalCount nodes { id } }`),
		),
		"Organization.items(after)": position(
			of(`items(kind: ALERT, after: @itemCursor) { nodes { id name } }`),
		),
		"Organization.events(after)": position(
			of(`events(after: @eventCursor) { nodes { id item { name } } }`),
		),
		"Organization.events(filter.itemId)":  asked(of(`events(filter: {itemId: @item}) { nodes { id } }`)),
		"Organization.events(filter.groupId)": asked(of(`events(filter: {groupId: @group}) { nodes { id } }`)),
		"Organization.events(filter.workspaceId)": asked(
			of(`events(filter: {workspaceId: @workspaceId}) { nodes { id } }`),
			of(`events(filter: {sourceEventId: @sourceEventId}) { nodes { id } }`)),
		"Organization.deliveries(after)": position(of(`deliveries(after: @deliveryCursor) { nodes { id } }`)),
		"Organization.deliveries(before)": position(
			of(`deliveries(last: 5, before: @deliveryCursor) { nodes { id } }`)),
		"Event.deliveries(after)": position(
			`{ node(id: ~event) { ... on Event { deliveries(after: @deliveryCursor) { nodes { id } } } } }`),
	}
	maps.Copy(all, filterCases("Organization.deliveries", "deliveries", own))
	stats := `deliveryStats(window: LAST_24_HOURS, filter: {%s}) { total { delivered failed attempts } }`
	for name, condition := range deliveryFilters {
		// But for webhooks, every condition is refused, whatever it names.
		all["Organization.deliveryStats(filter."+name+")"] = position(of(replaceOnce(stats, condition)))
	}
	all["Organization.deliveryStats(filter.webhookIds)"] = asked(
		of(replaceOnce(stats, deliveryFilters["webhookIds"])))
	text := "Organization.deliveries(filter.workspaceId)"
	all[text] = asked(append(all[text].queries, of(`deliveries(filter: {text: @text}) { nodes { id } }`))...)
	return all
}

func webhookCases() map[string]isolationCase {
	const own = `node(id: ~webhook) { ... on Webhook { %s } }`
	const draft = `organizationId: ~organization, name: "x", eventType: ACTIVE_ALERT,
		targetUrl: "https://example.com/x"`
	change := func(fields string) string {
		return `mutation { updateWebhook(input: {id: ~webhook, expectedVersion: 2, selection: {` + fields +
			`}}) { webhook { id } userErrors { code message field } } }`
	}
	all := map[string]isolationCase{
		"Webhook.versions(after)": position(
			"{ " + replaceOnce(own, `versions(after: @versionCursor) { nodes { id name } }`) + " }"),
		"Webhook.deliveries(after)": position(
			"{ " + replaceOnce(own, `deliveries(after: @deliveryCursor) { nodes { id } }`) + " }"),
		"Mutation.createWebhook(input.organizationId)": asked(
			creation(`organizationId: @organization, name: "x", eventType: ACTIVE_ALERT,
				targetUrl: "https://example.com/x", selection: {all: true}`),
			creation(`organizationId: @externalId, name: "x", eventType: ACTIVE_ALERT,
				targetUrl: "https://example.com/x", selection: {all: true}`)),
		"Mutation.createWebhook(input.selection.itemIds)": forAdmin(
			creation(draft + `, selection: {itemIds: [@item]}`)),
		"Mutation.createWebhook(input.selection.externalIds)": forAdmin(
			creation(draft + `, selection: {externalIds: [@itemExternalId]}`)),
		"Mutation.updateWebhook(input.id)": asked(`mutation { updateWebhook(input: {
			id: @webhook, expectedVersion: 2, name: "x"}) { webhook { id } userErrors { code message field } } }`),
		"Mutation.updateWebhook(input.selection.itemIds)":     forAdmin(change(`itemIds: [@item]`)),
		"Mutation.updateWebhook(input.selection.externalIds)": forAdmin(change(`externalIds: [@itemExternalId]`)),
		"Mutation.deleteWebhook(input.id)": asked(
			`mutation { deleteWebhook(input: {id: @webhook}) { deletedId userErrors { code message field } } }`),
		"Mutation.setWebhookStatus(input.id)": asked(`mutation { setWebhookStatus(input: {
			id: @webhook, status: DISABLED}) { webhook { id } userErrors { code message field } } }`),
		"Mutation.rotateWebhookSecret(input.id)": asked(
			`mutation { rotateWebhookSecret(input: {id: @webhook}) { secret userErrors { code message field } } }`),
	}
	maps.Copy(all, filterCases("Webhook.deliveries", "deliveries", own))
	// A webhook's own deliveries are of no other webhook, whatever the filter.
	all["Webhook.deliveries(filter.webhookIds)"] = position(
		"{ " + replaceOnce(own, `deliveries(filter: {webhookIds: [@webhook]}) { nodes { id } }`) + " }")
	return all
}
