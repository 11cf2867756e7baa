package delivery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An EntryFilter applies a DeliveryFilter to entries of the log.
type EntryFilter struct {
	org        OrgID          // 0 for any
	f          DeliveryFilter // its lists are sorted, without repetitions
	text       string         // in lower case
	NeedsEvent bool           // whether event has to be asked, too
}

// NewEntryFilter returns the filter of a list or subscription of org; 0 is every
// organization.
func NewEntryFilter(org OrgID, f DeliveryFilter) *EntryFilter {
	f.Webhooks, f.Types, f.States = sorted(f.Webhooks), sorted(f.Types), sorted(f.States)
	f.Outcomes, f.Triggers = sorted(f.Outcomes), sorted(f.Triggers)
	return &EntryFilter{
		org: org, f: f, text: strings.ToLower(f.Text),
		NeedsEvent: f.Group != "" || f.WorkspaceID != "" || f.Text != "",
	}
}

// Key returns a text that is the same for filters that entry answers the same
// for. What only event looks at is left out.
func (m *EntryFilter) Key() string {
	f := m.f
	f.Group, f.WorkspaceID, f.Text = "", "", ""
	f.After, f.Before = f.After.UTC(), f.Before.UTC()
	return fmt.Sprintf("%d %#v", m.org, f)
}

// Entry reports whether e passes, as far as the entry itself tells.
func (m *EntryFilter) Entry(e *LogEntry) bool {
	d, f := &e.Delivery, &m.f
	return (m.org == 0 || d.Org == m.org) &&
		Among(f.Webhooks, d.Webhook) && Among(f.Types, d.Type) &&
		Among(f.States, d.State) && Among(f.Triggers, d.Trigger) &&
		(f.Event == 0 || d.Event == f.Event) &&
		(f.Item == 0 || d.Item == f.Item) &&
		(f.After.IsZero() || !d.CreatedAt().Before(f.After)) &&
		(f.Before.IsZero() || d.CreatedAt().Before(f.Before)) &&
		m.attempt(e.Attempt)
}

// attempt reports whether the attempt passes; nil is one that was not made.
func (m *EntryFilter) attempt(a *Attempt) bool {
	f := &m.f
	if len(f.Outcomes) == 0 && f.StatusFrom == 0 && f.StatusTo == 0 {
		return true
	}
	return a != nil && Among(f.Outcomes, a.Outcome) && a.HTTPStatus >= f.StatusFrom &&
		(f.StatusTo == 0 || a.HTTPStatus <= f.StatusTo)
}

// Event reports whether an entry that passed is about an event that passes.
func (m *EntryFilter) Event(e *Event) bool {
	f := &m.f
	return (f.Group == "" || e.Group == f.Group) &&
		(f.WorkspaceID == "" || e.WorkspaceID == f.WorkspaceID) &&
		(m.text == "" || m.in(e.ItemName) || m.in(e.WorkspaceName) || m.in(e.WorkspaceID))
}

func (m *EntryFilter) in(text string) bool { return strings.Contains(strings.ToLower(text), m.text) }

// Among reports whether list has v, or does not narrow.
func Among[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// sorted returns a sorted copy of list, without repetitions.
func sorted[T cmp.Ordered](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }
