package graph

import (
	"time"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

func (r reportsReader) object() *delivery.ObjectReport {
	out := &delivery.ObjectReport{}
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "action":
			out.Action = string(enum(r, gen.ObjectAction.IsValid))
		case "object":
			r.changedObject(out)
		case "user":
			out.User = r.user()
		default:
			r.Fail()
		}
	}
	r.needs(out.Action != "", out.ID != "", out.User.Name != "")
	return out
}

// changedObject reads the part of out that says which object has changed.
func (r reportsReader) changedObject(out *delivery.ObjectReport) {
	out.TypeID, out.TypeName, out.ID, out.Name, out.Changes = "", "", "", "", nil
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "typeId":
			out.TypeID = r.Text()
		case "typeName":
			out.TypeName = r.TextOrNull()
		case "id":
			out.ID = r.Text()
		case "name":
			out.Name = r.Text()
		case "changes":
			out.Changes = r.changes()
		default:
			r.Fail()
		}
	}
	r.needs(out.TypeID != "", out.ID != "", out.Name != "")
}

func (r reportsReader) changes() (out []delivery.FieldChange) {
	if r.Null() {
		return nil
	}
	for r.List(); r.Element(); {
		out = append(out, r.change())
	}
	return out
}

func (r reportsReader) change() (out delivery.FieldChange) {
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "property":
			out.Property = r.Text()
		case "originalValue":
			out.OriginalValue = r.optional()
		case "newValue":
			out.NewValue = r.optional()
		default:
			r.Fail()
		}
	}
	r.needs(out.Property != "")
	return out
}

// optional reads a text that may be empty, or null as nil.
func (r reportsReader) optional() *string {
	if r.Null() {
		return nil
	}
	return new(r.Text())
}

func (r reportsReader) user() (out delivery.ReportedUser) {
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "id":
			out.ID = r.TextOrNull()
		case "name":
			out.Name = r.Text()
		case "email":
			out.Email = r.TextOrNull()
		default:
			r.Fail()
		}
	}
	r.needs(out.Name != "")
	return out
}

// time reads a time, which is never zero.
func (r reportsReader) time() time.Time {
	t, ok := model.ParseTime(r.Text())
	r.needs(ok && !t.IsZero())
	return t
}

func (r reportsReader) timeOrNull() time.Time {
	if r.Null() {
		return time.Time{}
	}
	return r.time()
}
