package delivery

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
