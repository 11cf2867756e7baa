package delivery

import "time"

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

// A Caller is whoever makes a request, with what it was granted. The zero
// Caller is nobody and may do nothing. Nothing is inherited between
// organizations.
type Caller struct {
	Name     string         // how the caller appears in createdBy and in logs
	Operator bool           // may read, watch, redeliver and hold in every organization
	Portal   bool           // may ingest events and sync items, nothing else
	Scope    OrgID          // the only organization of a Portal key; 0 for all
	Grants   map[OrgID]Role // what a person holds in each organization

	Key     KeyID     // the API key that was shown; 0 for none
	Until   time.Time // when that expires; zero for never
	Address string    // where the request comes from, for the audit log
	Request string    // its id, for the same

	kind ActorKind // AtTerminal or BySystem; empty for callers of the API
}

// AtTerminalOf returns the caller that the program's own commands act for: a
// person who has the database itself, and may do to keys whatever he likes.
func AtTerminalOf(user string) Caller { return Caller{Name: user, kind: AtTerminal} }

// bySystem is who changes a webhook when no person does.
const bySystem = "Portalhooks"

// system is Portalhooks itself.
var system = Caller{Name: bySystem, kind: BySystem}

// Terminal reports whether the caller runs one of the program's own commands.
func (c Caller) Terminal() bool { return c.kind == AtTerminal }

// actor returns how the audit log names the caller.
func (c Caller) actor() Actor {
	a := Actor{Kind: c.kind, Name: c.Name, Key: c.Key}
	switch {
	case c.kind != "":
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

// Known reports whether the caller is anybody.
func (c Caller) Known() bool { return c.Name != "" }

// checkRead refuses, with NotFound, a caller who may not see org: another
// organization's id answers like one that does not exist.
func (c Caller) checkRead(org OrgID) error {
	if !c.Known() {
		return errUnauthenticated
	}
	if c.Operator || c.Grants[org] != "" {
		return nil
	}
	return errNotFound
}

// checkConfigure refuses a caller who may not change org's webhooks: with
// NotFound where the caller may not even see the organization, otherwise with
// Forbidden.
func (c Caller) checkConfigure(org OrgID) error {
	if err := c.checkRead(org); err != nil {
		return err
	}
	if c.Grants[org] != Admin {
		return Errorf(Forbidden, "",
			"Only an Organization Admin may do this. Ask one of your organization's admins.")
	}
	return nil
}

// checkRedeliver refuses a caller who may not send deliveries of org again.
func (c Caller) checkRedeliver(org OrgID) error {
	if c.Operator {
		return nil
	}
	return c.checkConfigure(org)
}

// checkAudit refuses a caller who may not read what was done in org; 0 is
// everywhere.
func (c Caller) checkAudit(org OrgID) error {
	switch {
	case org == 0:
		return c.checkOperator()
	case c.Operator:
		return nil
	}
	return c.checkConfigure(org)
}

// checkPortal refuses a caller who may not ingest at all.
func (c Caller) checkPortal() error {
	switch {
	case !c.Known():
		return errUnauthenticated
	case !c.Portal:
		return Errorf(Forbidden, "",
			"Only Portal may submit events and items. Use an API key with the role portal.")
	}
	return nil
}

// checkOperator refuses everyone but operators of the platform.
func (c Caller) checkOperator() error {
	switch {
	case !c.Known():
		return errUnauthenticated
	case !c.Operator:
		return Errorf(Forbidden, "", "Only operators may see this.")
	}
	return nil
}

var (
	errUnauthenticated = Errorf(Unauthenticated, "",
		`Sign in, or send an API key: "Authorization: Bearer phk_…".`)
	errNotFound = Errorf(NotFound, "", "There is no such thing, or you may not see it.")
)
