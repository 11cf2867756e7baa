package api

import (
	"strings"

	"portalhooks/test/harness"
)

func replaceOnce(around, text string) string { return strings.Replace(around, "%s", text, 1) }

func creation(input string) string {
	return `mutation { createWebhook(input: {` + input + `}) {
		webhook { id } secret warnings { message } userErrors { code message field webhook { id } } } }`
}

// forAdmin is a case of what only an admin gets an answer about.
func forAdmin(queries ...string) isolationCase {
	return isolationCase{
		queries: queries,
		by:      func(w *harness.World) []asker { return []asker{{"admin", w.B.Admin}} },
		knows:   asAdmin,
	}
}

func deliveryMutationCases() map[string]isolationCase {
	test := func(input string) string {
		return `mutation { testWebhook(input: {` + input + `}) {
			delivery { id } message request { url } userErrors { code message field } } }`
	}
	draft := func(organization, selection string) string {
		return test(`draft: {organizationId: ` + organization + `, name: "x", eventType: ACTIVE_ALERT,
			targetUrl: "https://203.0.113.1/x", selection: {` + selection + `}}`)
	}
	return map[string]isolationCase{
		"Mutation.testWebhook(input.webhookId)": asked(test(`webhookId: @webhook`)),
		"Mutation.testWebhook(input.eventId)":   forAdmin(test(`webhookId: ~webhook, eventId: @event`)),
		"Mutation.testWebhook(input.draft.organizationId)": asked(
			draft("@organization", "all: true"), draft("@externalId", "all: true")),
		"Mutation.testWebhook(input.draft.selection.itemIds)": forAdmin(
			draft("~organization", "itemIds: [@item]"),
		),
		"Mutation.testWebhook(input.draft.selection.externalIds)": forAdmin(
			draft("~organization", "externalIds: [@itemExternalId]"),
		),
		"Mutation.redeliver(input.ids)": asked(
			`mutation { redeliver(input: {ids: [@delivery]}) { deliveries { id } userErrors { code message field } } }`,
			`mutation { redeliver(input: {ids: [@delivery], message: CURRENT_VERSION}) {
				deliveries { id } userErrors { code message field } } }`,
		),
	}
}

// portalCases are asked with the key by which Portal reports for one
// organization.
func portalCases() map[string]isolationCase {
	scoped := func(queries ...string) isolationCase {
		return isolationCase{
			queries: queries,
			by:      func(w *harness.World) []asker { return []asker{{"Portal for b", w.B.Portal}} },
			knows:   func(w *harness.World) string { return w.A.Portal },
		}
	}
	report := func(organization string) string {
		return `mutation { ingestEvents(input: [{organizationId: ` + organization + `, sourceEventId: "foreign",
			event: {activeAlert: {alert: {id: "x", name: "x", start: "2026-01-14T09:30:58Z"}}}}]) {
			results { status eventIds deliveries userErrors { code message field } } userErrors { message } } }`
	}
	sync := func(organization string) string {
		return `mutation { syncItems(input: {
			organizationId: ` + organization + `, kind: OBJECT, items: [{id: "x", name: "x"}]}) {
			created updated userErrors { code message field } } }`
	}
	return map[string]isolationCase{
		"Mutation.ingestEvents(input.organizationId)": scoped(report("@externalId"), report("@organization")),
		"Mutation.syncItems(input.organizationId)":    scoped(sync("@externalId"), sync("@organization")),
	}
}

// watched selects the fields of the delivery log that the cases ask for.
const watched = `{ __typename ... on DeliveryLogEntry {
	replayed delivery { id webhook { name } event { item { name } } } } }`

func subscriptionCases() map[string]isolationCase {
	all := map[string]isolationCase{
		"Subscription.deliveryLog(organizationId)": asked(
			`subscription { deliveryLog(organizationId: @organization, after: ~logCursor) `+watched+` }`,
			`subscription { deliveryLog(organizationId: @externalId, after: ~logCursor) `+watched+` }`),
		"Subscription.deliveryLog(after)": position(
			`subscription { deliveryLog(after: @logCursor) ` + watched + ` }`,
		),
	}
	for name, condition := range deliveryFilters {
		all["Subscription.deliveryLog(filter."+name+")"] = asked(
			`subscription { deliveryLog(after: ~logCursor, filter: {` + condition + `}) ` + watched + ` }`)
	}
	return all
}
