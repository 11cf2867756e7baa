package authtest

import "testing"

// NewKeycloak starts a provider with the endpoints of Keycloak's realm "it".
// [KeycloakPerson] and [KeycloakProgram] return the claims that Keycloak issues by
// default and with the mappers of docs/sign-in.md.
func NewKeycloak(t testing.TB) *Issuer {
	t.Helper()
	const connect = "/protocol/openid-connect"
	return start(t, "/realms/it", paths{
		connect + "/auth", connect + "/token", connect + "/certs", connect + "/logout",
	})
}

// KeycloakPerson returns the claims of a person in Keycloak's ID token, in addition
// to Usual.
func KeycloakPerson(name string, groups, realmRoles []string) map[string]any {
	return map[string]any{
		"sub": "f3a1-" + name, "typ": "ID", "azp": ClientID, "acr": "1", "sid": "5c0d", "at_hash": "xyz",
		"auth_time": 1, "jti": "b7c2", "email_verified": true, "preferred_username": name,
		"email": name + "@example.com", "groups": groups, "realm_access": roles(realmRoles),
	}
}

// KeycloakProgram returns the claims of a program in Keycloak's access token. The
// program has these roles of the client ClientID.
func KeycloakProgram(id string, clientRoles ...string) map[string]any {
	return map[string]any{
		"sub": "9e41-" + id, "typ": "Bearer", "azp": id, "client_id": id, "acr": "1", "jti": "trrtcc:1",
		"aud": []string{ClientID, "account"}, "scope": "email profile", "email_verified": false,
		"preferred_username": "service-account-" + id, "clientHost": "127.0.0.1", "clientAddress": "127.0.0.1",
		"realm_access": roles([]string{"default-roles-it", "offline_access", "uma_authorization"}),
		"resource_access": map[string]any{
			ClientID: roles(clientRoles), "account": roles([]string{"view-profile"}),
		},
	}
}

// roles returns a role claim in Keycloak's form.
func roles(all []string) map[string]any { return map[string]any{"roles": all} }
