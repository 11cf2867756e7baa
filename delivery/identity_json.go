package delivery

import (
	"encoding/json"
	"strconv"
	"time"
)

// A canonical is what fingerprints hash: the JSON that encoding/json makes of
// the reports' structs, byte by byte. Databases hold fingerprints, so it stays
// as it is whatever becomes of the structs.
type canonical []byte

// of appends the payload of a report.
func (c canonical) of(r *Report, devices []WorkspaceExecution) canonical {
	c = append(c, `{"Alert":`...)
	c = c.alert(r.ActiveAlert)
	c = append(c, `,"Object":`...)
	c = c.object(r.ObjectChange)
	c = append(c, `,"Operation":`...)
	c = c.operation(r.Operation)
	c = append(c, `,"Devices":`...)
	c = elements(c, devices, canonical.device)
	return append(c, "}\n"...)
}

func (c canonical) alert(r *ActiveAlertReport) canonical {
	if r == nil {
		return c.null()
	}
	a := &r.Alert
	c = c.text(`{"Alert":{"ID":`, a.ID).text(`,"Name":`, a.Name).text(`,"Information":`, a.Information)
	c = c.time(`,"Start":`, a.Start).text(`,"Element":`, a.Element).text(`,"Severity":`, string(a.Severity))
	c = c.text(`,"Category":`, a.Category).text(`,"ViewURL":`, a.ViewURL)
	c = append(c, `},"Workspace":`...)
	if r.Workspace == nil {
		return append(c.null(), '}')
	}
	return append(c.workspace(r.Workspace), '}')
}

func (c canonical) workspace(w *ReportedWorkspace) canonical {
	c = c.text(`{"ID":`, w.ID).text(`,"Name":`, w.Name).text(`,"LastUser":`, w.LastUser)
	c = c.text(`,"ReportingGroupID":`, w.ReportingGroupID).text(`,"ReportingGroupName":`, w.ReportingGroupName)
	return append(c, '}')
}

func (c canonical) object(r *ObjectReport) canonical {
	if r == nil {
		return c.null()
	}
	c = c.text(`{"Action":`, string(r.Action)).text(`,"TypeID":`, r.TypeID).text(`,"TypeName":`, r.TypeName)
	c = c.text(`,"ID":`, r.ID).text(`,"Name":`, r.Name)
	c = elements(append(c, `,"Changes":`...), r.Changes, canonical.change)
	c = c.text(`,"User":{"ID":`, r.User.ID).text(`,"Name":`, r.User.Name).text(`,"Email":`, r.User.Email)
	return append(c, "}}"...)
}

func (c canonical) change(f *FieldChange) canonical {
	c = c.text(`{"Property":`, f.Property).optional(`,"OriginalValue":`, f.OriginalValue)
	return append(c.optional(`,"NewValue":`, f.NewValue), '}')
}

// operation writes an operation without its devices.
func (c canonical) operation(r *OperationReport) canonical {
	if r == nil {
		return c.null()
	}
	c = c.text(`{"OperationID":`, r.OperationID).text(`,"TypeID":`, r.TypeID).text(`,"TypeName":`, r.TypeName)
	c = c.text(`,"Description":`, r.Description).text(`,"InitiatedBy":`, r.InitiatedBy)
	c = c.time(`,"StartDate":`, r.StartDate).time(`,"EndDate":`, r.EndDate).text(`,"Result":`, string(r.Result))
	c = append(c, `,"Microservice":`...)
	if m := r.Microservice; m == nil {
		c = c.null()
	} else {
		c = append(c.text(`{"ID":`, m.ID).text(`,"Name":`, m.Name).text(`,"ViewURL":`, m.ViewURL), '}')
	}
	c = strconv.AppendBool(append(c, `,"Complete":`...), !r.Partial)
	return append(c, `,"Workspaces":null}`...)
}

func (c canonical) device(e *WorkspaceExecution) canonical {
	c = append(c, `{"Workspace":`...)
	return append(c.workspace(&e.Workspace).execution(e), '}')
}

// execution writes how it went on a device, without the device.
func (c canonical) execution(e *WorkspaceExecution) canonical {
	c = c.time(`,"StartDate":`, e.StartDate).time(`,"EndDate":`, e.EndDate)
	return c.text(`,"Result":`, string(e.Result))
}

func elements[T any](c canonical, all []T, one func(canonical, *T) canonical) canonical {
	if all == nil {
		return c.null()
	}
	c = append(c, '[')
	for i := range all {
		if i > 0 {
			c = append(c, ',')
		}
		c = one(c, &all[i])
	}
	return append(c, ']')
}

func (c canonical) null() canonical { return append(c, "null"...) }

func (c canonical) optional(before string, text *string) canonical {
	if text == nil {
		return append(c, before...).null()
	}
	return c.text(before, *text)
}

func (c canonical) text(before, text string) canonical {
	c = append(c, before...)
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == '"' || b == '\\' || b == '<' || b == '>' || b == '&' {
			encoded, _ := json.Marshal(text) // which never fails for a text
			return append(c, encoded...)
		}
	}
	return append(append(append(c, '"'), text...), '"')
}

// time writes a time in UTC, of a year from 1 to 9999.
func (c canonical) time(before string, at time.Time) canonical {
	c = append(append(c, before...), '"')
	return append(at.UTC().AppendFormat(c, time.RFC3339Nano), '"')
}
