package delivery

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what Portal reports.
const (
	MaxReports    = 1_000    // in one call
	MaxWorkspaces = 25_000   // devices in one report
	MaxChanges    = 1_000    // changed properties of one object
	MaxIDLength   = 256      // characters
	MaxNameLength = 1_000    // characters
	MaxTextSize   = 64 << 10 // bytes of any other text
	maxViewURL    = 2 << 10
)

// A checker collects what is wrong with one input. To keep the answer readable
// it stops listing after maxErrors.
type checker struct{ errors Errors }

const maxErrors = 50

func (c *checker) fail(code Code, field, format string, args ...any) {
	if len(c.errors) < maxErrors {
		c.errors = append(c.errors, Errorf(code, field, format, args...))
	}
}

// id checks an identifier that must be there.
func (c *checker) id(field, id string) {
	if id == "" {
		c.fail(Required, field, "Give %s.", lastOf(field))
		return
	}
	c.optionalID(field, id)
}

func (c *checker) optionalID(field, id string) {
	switch {
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		c.fail(Invalid, field, "An id must not contain control characters.")
	case utf8.RuneCountInString(id) > MaxIDLength:
		c.fail(Invalid, field, "An id has at most %d characters.", MaxIDLength)
	}
}

func (c *checker) name(field, name string) {
	if utf8.RuneCountInString(name) > MaxNameLength {
		c.fail(Invalid, field, "A name has at most %d characters.", MaxNameLength)
	}
}

func (c *checker) text(field, text string) {
	if len(text) > MaxTextSize {
		c.fail(Invalid, field, "A text has at most %d KiB.", MaxTextSize>>10)
	}
}

func (c *checker) time(field string, at time.Time) {
	if at.IsZero() {
		c.fail(Required, field, "Give %s.", lastOf(field))
		return
	}
	c.optionalTime(field, at)
}

func (c *checker) optionalTime(field string, at time.Time) {
	if year := at.UTC().Year(); !at.IsZero() && (year < 1 || year > 9999) {
		c.fail(Invalid, field, "The year must be from 1 to 9999.")
	}
}

// viewURL checks a link that the console will show.
func (c *checker) viewURL(field, link string) {
	if link == "" {
		return
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(link) > maxViewURL ||
		!storable(link) {
		c.fail(Invalid, field, "The link must be an absolute http or https URL of at most %d bytes.", maxViewURL)
	}
}

// lastOf names a field in a sentence by the last part of its path.
func lastOf(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }

// validateReport returns everything that is wrong with a report.
func validateReport(r *Report) Errors {
	var c checker
	c.id("organizationId", r.OrganizationID)
	c.name("organizationName", r.OrganizationName)
	c.id("sourceEventId", r.SourceEventID)
	c.optionalTime("occurredAt", r.OccurredAt)
	payloads := 0
	for _, given := range []bool{
		r.ActiveAlert != nil, r.MicroserviceExecution != nil, r.ObjectChange != nil, r.Operation != nil,
	} {
		if given {
			payloads++
		}
	}
	switch {
	case payloads != 1:
		c.fail(Invalid, "event",
			"Give exactly one of activeAlert, microserviceExecution, objectChange and operation.")
	case r.ActiveAlert != nil:
		c.alert(r.ActiveAlert)
	case r.MicroserviceExecution != nil:
		c.microservice(r.MicroserviceExecution)
	case r.ObjectChange != nil:
		c.object(r.ObjectChange)
	default:
		c.operation(r.Operation)
	}
	return c.errors
}

func (c *checker) alert(r *ActiveAlertReport) {
	const path = "event.activeAlert.alert."
	c.id(path+"id", r.Alert.ID)
	c.name(path+"name", r.Alert.Name)
	c.text(path+"information", r.Alert.Information)
	c.time(path+"start", r.Alert.Start)
	c.text(path+"element", r.Alert.Element)
	c.text(path+"category", r.Alert.Category)
	c.viewURL(path+"viewUrl", r.Alert.ViewURL)
	if _, ok := severities[r.Alert.Severity]; !ok && r.Alert.Severity != "" {
		c.fail(Invalid, path+"severity", "The severity is CRITICAL, WARNING or INFORMATIONAL.")
	}
	if r.Workspace != nil {
		c.workspace("event.activeAlert.workspace", r.Workspace)
	}
}

func (c *checker) workspace(path string, w *ReportedWorkspace) {
	c.id(path+".id", w.ID)
	c.name(path+".name", w.Name)
	c.name(path+".lastUser", w.LastUser)
	c.optionalID(path+".reportingGroupId", w.ReportingGroupID)
	c.name(path+".reportingGroupName", w.ReportingGroupName)
}

func (c *checker) item(path string, i *ReportedItem) {
	c.id(path+".id", i.ID)
	c.name(path+".name", i.Name)
	c.viewURL(path+".viewUrl", i.ViewURL)
}

func (c *checker) microservice(r *MicroserviceReport) {
	const path = "event.microserviceExecution."
	c.id(path+"operationId", r.OperationID)
	c.item(path+"microservice", &r.Microservice)
	if len(r.Workspaces) == 0 {
		c.fail(Required, path+"workspaces", "List at least one device.")
	}
	c.executions(path+"workspaces", r.Workspaces)
}

func (c *checker) object(r *ObjectReport) {
	const path = "event.objectChange."
	if _, ok := objectActions[r.Action]; !ok {
		c.fail(Invalid, path+"action", "The action is CREATED, MODIFIED or DELETED.")
	}
	c.id(path+"object.typeId", r.TypeID)
	c.name(path+"object.typeName", r.TypeName)
	c.id(path+"object.id", r.ID)
	c.name(path+"object.name", r.Name)
	if len(r.Changes) > MaxChanges {
		c.fail(LimitExceeded, path+"object.changes", "List at most %d changes.", MaxChanges)
		return
	}
	for i, change := range r.Changes {
		field := fmt.Sprintf("%sobject.changes.%d.", path, i)
		c.name(field+"property", change.Property)
		if change.OriginalValue != nil {
			c.text(field+"originalValue", *change.OriginalValue)
		}
		if change.NewValue != nil {
			c.text(field+"newValue", *change.NewValue)
		}
	}
	c.optionalID(path+"user.id", r.User.ID)
	c.name(path+"user.name", r.User.Name)
	c.name(path+"user.email", r.User.Email)
}

func (c *checker) operation(r *OperationReport) {
	const path = "event.operation."
	c.id(path+"operationId", r.OperationID)
	c.id(path+"typeId", r.TypeID)
	c.name(path+"typeName", r.TypeName)
	c.text(path+"description", r.Description)
	c.name(path+"initiatedBy", r.InitiatedBy)
	c.time(path+"startDate", r.StartDate)
	c.optionalTime(path+"endDate", r.EndDate)
	if _, ok := results[r.Result]; !ok && r.Result != "" {
		c.fail(Invalid, path+"result", "The result is COMPLETED, ERROR, TIMEOUT or CANCELLED.")
	}
	if r.Microservice != nil {
		c.item(path+"microservice", r.Microservice)
	}
	if len(r.Workspaces) == 0 && !r.Complete {
		c.fail(Required, path+"workspaces", "List at least one device, or set complete to true.")
	}
	c.executions(path+"workspaces", r.Workspaces)
}

// executions checks a list of devices. A device that is there twice must be
// there with the same words, or nobody could say what happened on it.
func (c *checker) executions(path string, list []WorkspaceExecution) {
	if len(list) > MaxWorkspaces {
		c.fail(LimitExceeded, path, "List at most %d devices in one report, and the others in another.",
			MaxWorkspaces)
		return
	}
	seen := make(map[string]int, len(list))
	for i := range list {
		e := &list[i]
		if executionIsFine(e) {
			if first, twice := seen[e.Workspace.ID]; twice && !sameExecution(&list[first], e) {
				c.fail(Invalid, fmt.Sprintf("%s.%d.workspace.id", path, i),
					"This device is already at position %d with other values. List each device once.", first)
			} else if !twice {
				seen[e.Workspace.ID] = i
			}
			continue
		}
		c.execution(fmt.Sprintf("%s.%d", path, i), e)
	}
}

// executionIsFine spares the many good devices the making of field paths.
func executionIsFine(e *WorkspaceExecution) bool {
	var c checker
	c.execution("", e)
	return len(c.errors) == 0
}

func (c *checker) execution(path string, e *WorkspaceExecution) {
	c.workspace(path+".workspace", &e.Workspace)
	c.time(path+".startDate", e.StartDate)
	c.optionalTime(path+".endDate", e.EndDate)
	if _, ok := results[e.Result]; !ok {
		c.fail(Invalid, path+".result", "The result is COMPLETED, ERROR, TIMEOUT or CANCELLED.")
	}
}

func sameExecution(a, b *WorkspaceExecution) bool {
	return a.Workspace == b.Workspace && a.Result == b.Result &&
		a.StartDate.Equal(b.StartDate) && a.EndDate.Equal(b.EndDate)
}
