package auth

import (
	"fmt"
	"regexp"
	"strings"

	"portalhooks/delivery"
)

// placeholder matches the organization's id in a rule's pattern.
const placeholder = "{org}"

// A Rule maps a claim value to a role.
type Rule struct {
	claim  string // empty for the default claim of Rules
	prefix string // the whole value if there is no placeholder
	suffix string
	hasOrg bool // whether the pattern has the placeholder
	role   delivery.KeyRole
	org    string // Portal's id; empty for all organizations, or if hasOrg
}

// ruleText is [CLAIM~]PATTERN=ROLE[@ORGANIZATION]. The last "=" before a role
// separates: distinguished names contain many.
var ruleText = regexp.MustCompile(`^(?:([A-Za-z0-9_.:/-]+)~)?(.+)=(admin|viewer|operator|portal)(?:@(.+))?$`)

// ParseRule parses a rule such as "portalhooks-admin:{org}=admin",
// "acme-webhooks=viewer@acme" or "hd~acme.example=viewer@acme".
func ParseRule(text string) (Rule, error) {
	part := ruleText.FindStringSubmatch(text)
	if part == nil {
		return Rule{}, fmt.Errorf("%q is not a rule: write [CLAIM~]VALUE=ROLE[@ORGANIZATION], where the role is "+
			"admin, viewer, operator or portal, such as acme-webhooks=admin@acme", text)
	}
	r := Rule{claim: part[1], role: delivery.KeyRole(part[3]), org: part[4]}
	r.prefix, r.suffix, r.hasOrg = strings.Cut(part[2], placeholder)
	inOne := r.role == delivery.AdminKey || r.role == delivery.ViewerKey
	switch {
	case strings.Contains(r.suffix, placeholder):
		return Rule{}, fmt.Errorf("%q contains %s twice", text, placeholder)
	case r.hasOrg && r.org != "":
		return Rule{}, fmt.Errorf("%q names the organization twice: remove %s or @%s", text, placeholder, r.org)
	case inOne && !r.hasOrg && r.org == "":
		return Rule{}, fmt.Errorf("%q does not name an organization: add @ORGANIZATION, or %s to the value",
			text, placeholder)
	case r.role == delivery.OperatorKey && (r.hasOrg || r.org != ""):
		return Rule{}, fmt.Errorf("%q: an operator has access to every organization: remove the organization", text)
	}
	return r, nil
}

// match reports whether the rule matches value, and returns the organization that
// it grants the role in: empty for all.
func (r Rule) match(value string) (org string, ok bool) {
	if !r.hasOrg {
		return r.org, value == r.prefix
	}
	rest, ok := strings.CutPrefix(value, r.prefix)
	if !ok {
		return "", false
	}
	org, ok = strings.CutSuffix(rest, r.suffix)
	return org, ok && org != ""
}
