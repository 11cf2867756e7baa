package delivery

import (
	"strings"
	"time"
)

// A Role is what a person may do in one organization.
type Role string

// The roles in an organization.
const (
	// Admin may do everything in the organization, and is the only one who may
	// configure webhooks.
	Admin Role = "ORGANIZATION_ADMIN"
	// ViewerRole may read webhooks, without secrets, and deliveries, and watch
	// live.
	ViewerRole Role = "ORGANIZATION_VIEWER"
)

// A Caller is the person or program that makes a request, with its grants. The
// zero Caller is unauthenticated and may do nothing. Organizations inherit no
// grants from one another.
type Caller struct {
	Name     string         // how the caller appears in createdBy and in logs
	Operator bool           // may read, watch, redeliver and hold in every organization
	Portal   bool           // may ingest events and sync items, nothing else
	Scope    OrgID          // the only organization of a Portal key; 0 for all
	Grants   map[OrgID]Role // what a person holds in each organization

	// Person identifies permanently for whom the identity provider has vouched, or
	// who made the API key that was shown; empty when there is no such person.
	Person string

	Key     KeyID     // the API key that was shown; 0 for none
	Until   time.Time // when that expires; zero for never
	Address string    // where the request comes from, for the audit log
	Request string    // its id, for the same

	Kind ActorKind // AtTerminal or BySystem; empty for callers of the API
}

// AtTerminalOf returns the caller that the program's own commands act for: a
// person who has the database itself, and may do anything with keys.
func AtTerminalOf(user string) Caller { return Caller{Name: user, Kind: AtTerminal} }

// SystemName is who changes a webhook when no person does.
const SystemName = "Portalhooks"

// System is Portalhooks itself.
var System = Caller{Name: SystemName, Kind: BySystem}

// Share returns the key by which c's part of what all callers share is counted: the
// organization of callers that have one and nothing else, however many keys they
// have; else the caller's own name.
func (c Caller) Share() string {
	if c.Operator {
		return c.Name
	}
	if c.Portal && c.Scope != 0 {
		return c.Scope.String()
	}
	if !c.Portal && len(c.Grants) == 1 {
		for org := range c.Grants {
			return org.String()
		}
	}
	return c.Name
}

// Terminal reports whether the caller runs one of the program's own commands.
func (c Caller) Terminal() bool { return c.Kind == AtTerminal }

// tokenPerson begins a Person that is known by a token.
const tokenPerson = "token "

// TokenPerson returns the Person that a token of the identity provider names.
// Tokens of programs may have other claims than those of people who sign in, so
// a token of a person does not stand for the person who signs in.
func TokenPerson(person string) string { return tokenPerson + person }

// Makers returns the makers of the keys that must end when c has lost a role: who
// signs in is also the person of their tokens.
func (c Caller) Makers() []string {
	switch {
	case c.Person == "":
		return nil
	case strings.HasPrefix(c.Person, tokenPerson):
		return []string{c.Person}
	}
	return []string{c.Person, TokenPerson(c.Person)}
}

// Actor returns how the audit log names the caller.
func (c Caller) Actor() Actor {
	a := Actor{Kind: c.Kind, Name: c.Name, Key: c.Key}
	switch {
	case c.Kind != "":
	case c.Key != 0:
		a.Kind = ByKey
	default:
		a.Kind = ByPerson
	}
	return a
}

// Covers reports whether c may do at least all that other may.
func (c Caller) Covers(other Caller) bool {
	if other.Operator && !c.Operator || other.Portal && (!c.Portal || c.Scope != 0 && c.Scope != other.Scope) {
		return false
	}
	for org, role := range other.Grants {
		if have := c.Grants[org]; have != role && have != Admin {
			return false
		}
	}
	return true
}

// Known reports whether the caller is authenticated.
func (c Caller) Known() bool { return c.Name != "" }

// CheckRead refuses, with NotFound, a caller who may not see org: another
// organization's id answers like one that does not exist.
func (c Caller) CheckRead(org OrgID) error {
	if !c.Known() {
		return ErrUnauthenticated
	}
	if c.Operator || c.Grants[org] != "" {
		return nil
	}
	return ErrNotFound
}

// CheckConfigure refuses a caller who may not change org's webhooks: with
// NotFound where the caller may not even see the organization, otherwise with
// Forbidden.
func (c Caller) CheckConfigure(org OrgID) error {
	if err := c.CheckRead(org); err != nil {
		return err
	}
	if c.Grants[org] != Admin {
		return Errorf(Forbidden, "",
			"Only an Organization Admin may do this. Ask one of your organization's admins.")
	}
	return nil
}

// CheckRedeliver refuses a caller who may not send deliveries of org again.
func (c Caller) CheckRedeliver(org OrgID) error {
	if c.Operator {
		return nil
	}
	return c.CheckConfigure(org)
}

// CheckAudit refuses a caller who may not read what was done in org; 0 is
// everywhere.
func (c Caller) CheckAudit(org OrgID) error {
	switch {
	case org == 0:
		return c.CheckOperator()
	case c.Operator:
		return nil
	}
	return c.CheckConfigure(org)
}

// CheckPortal refuses a caller who may not ingest at all.
func (c Caller) CheckPortal() error {
	switch {
	case !c.Known():
		return ErrUnauthenticated
	case !c.Portal:
		return Errorf(Forbidden, "",
			"Only Portal may submit events and items. Use an API key with the role portal.")
	}
	return nil
}

// CheckOperator refuses everyone but operators of the platform.
func (c Caller) CheckOperator() error {
	switch {
	case !c.Known():
		return ErrUnauthenticated
	case !c.Operator:
		return Errorf(Forbidden, "", "Only operators may see this.")
	}
	return nil
}

var (
	// ErrUnauthenticated is returned to callers without valid credentials.
	ErrUnauthenticated = Errorf(Unauthenticated, "",
		`Sign in, or send an API key: "Authorization: Bearer phk_…".`)
	// ErrNotFound is the same for what does not exist and what the caller may not see.
	ErrNotFound = Errorf(NotFound, "", "There is no such thing, or you may not see it.")
)
