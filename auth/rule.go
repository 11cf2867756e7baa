package auth

import (
	"fmt"
	"regexp"
	"strings"

	"portalhooks/delivery"
)

// capture stands in a rule's pattern for the organization's id.
const capture = "{org}"

// A Rule says what a value of one of a token's claims grants.
type Rule struct {
	claim  string // where the value stands; empty for the usual place
	before string // the value, or what stands in it before the organization
	after  string
	holds  bool // whether the value holds the organization
	role   delivery.KeyRole
	org    string // Portal's id of the organization; empty for all, or where the value holds it
}

// ruleText is [CLAIM~]PATTERN=ROLE[@ORGANIZATION]. The last "=" before a role
// counts: names in directories are full of them.
var ruleText = regexp.MustCompile(`^(?:([A-Za-z0-9_.:/-]+)~)?(.+)=(admin|viewer|operator|portal)(?:@(.+))?$`)

// ParseRule reads a rule such as "portalhooks-admin:{org}=admin",
// "acme-webhooks=viewer@acme" or "hd~acme.example=viewer@acme".
func ParseRule(text string) (Rule, error) {
	part := ruleText.FindStringSubmatch(text)
	if part == nil {
		return Rule{}, fmt.Errorf("%q is no rule: write [CLAIM~]VALUE=ROLE[@ORGANIZATION], where the role is "+
			"admin, viewer, operator or portal, such as acme-webhooks=admin@acme", text)
	}
	r := Rule{claim: part[1], before: part[2], role: delivery.KeyRole(part[3]), org: part[4]}
	r.before, r.after, r.holds = strings.Cut(part[2], capture)
	inOne := r.role == delivery.AdminKey || r.role == delivery.ViewerKey
	switch {
	case strings.Contains(r.after, capture):
		return Rule{}, fmt.Errorf("%q has %s twice", text, capture)
	case r.holds && r.org != "":
		return Rule{}, fmt.Errorf("%q names the organization twice: leave out %s or @%s", text, capture, r.org)
	case inOne && !r.holds && r.org == "":
		return Rule{}, fmt.Errorf("%q does not say in which organization: add @ORGANIZATION, or %s to the value",
			text, capture)
	case r.role == delivery.OperatorKey && (r.holds || r.org != ""):
		return Rule{}, fmt.Errorf("%q: an operator is one for every organization: name none", text)
	}
	return r, nil
}

// match reports whether the rule is about value, and which organization it is
// about: empty for all.
func (r Rule) match(value string) (org string, ok bool) {
	if !r.holds {
		return r.org, value == r.before
	}
	rest, ok := strings.CutPrefix(value, r.before)
	if !ok {
		return "", false
	}
	org, ok = strings.CutSuffix(rest, r.after)
	return org, ok && org != ""
}
