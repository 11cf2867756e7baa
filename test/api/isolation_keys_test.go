package api

import "portalhooks/test/harness"

// keyCases ask for API keys and for the audit log.
func keyCases() map[string]isolationCase {
	made := func(organization string) string {
		return `mutation { createApiKey(input: {organizationId: ` + organization + `, name: "x", role: VIEWER}) {
			apiKey { id } key userErrors { code message field } } }`
	}
	own := func(arguments string) isolationCase {
		return isolationCase{
			queries: []string{`{ organization(id: ~organization) { auditLog(` + arguments + `) {
				nodes { id action actor { name apiKeyId } object { objectId name } } } } }`},
			by:    func(w *harness.World) []asker { return []asker{{"admin", w.B.Admin}} },
			knows: asAdmin,
		}
	}
	everywhere := func(arguments string) isolationCase {
		return isolationCase{
			queries: []string{`{ auditLog(` + arguments + `) {
				nodes { id organization { name } object { name } } } }`},
			knows: asOperator,
		}
	}
	log, all := own(`after: @auditCursor`), everywhere(`after: @auditCursor`)
	log.cursor, all.cursor = true, true
	return map[string]isolationCase{
		"Mutation.createApiKey(input.organizationId)": asked(made("@organization"), made("@externalId")),
		"Mutation.revokeApiKey(input.id)": asked(
			`mutation { revokeApiKey(input: {id: @key}) { apiKey { id } userErrors { code message field } } }`),
		"Organization.auditLog(after)":           log,
		"Organization.auditLog(filter.objectId)": own(`filter: {objectId: @webhook}`),
		"Organization.auditLog(filter.apiKeyId)": own(`filter: {apiKeyId: @adminKey}`),
		"Query.auditLog(after)":                  all,
		"Query.auditLog(filter.objectId)":        everywhere(`filter: {objectId: @webhook}`),
		"Query.auditLog(filter.apiKeyId)":        everywhere(`filter: {apiKeyId: @adminKey}`),
	}
}
