package model

import (
	"portalhooks/delivery"
)

// A Node is anything that Query.node can return.
type Node interface{ IsNode() }

// An Organization is shown with its id as text.
type Organization struct{ delivery.Organization }

// NewOrganizations shows all, in order; nil stays nil.
func NewOrganizations(all []*delivery.Organization) []*Organization {
	return views(all, func(_ int, o *delivery.Organization) *Organization { return &Organization{*o} })
}

// IsNode marks a Node.
func (Organization) IsNode() {}

// ID is the opaque id.
func (o Organization) ID() string { return o.Organization.ID.String() }

// An Item is shown with its id as text.
type Item struct{ delivery.Item }

// NewItems shows all, in order; nil stays nil.
func NewItems(all []*delivery.Item) []*Item {
	return views(all, func(_ int, i *delivery.Item) *Item { return &Item{*i} })
}

// IsNode marks a Node.
func (Item) IsNode() {}

// ID is the opaque id.
func (i Item) ID() string { return i.Item.ID.String() }

// ViewURL is Portal's page, nil when there is none.
func (i Item) ViewURL() *string { return text(i.Item.ViewURL) }

// An EventType is shown with its caption in a language.
type EventType struct{ delivery.TypeInfo }

// IsNode marks a Node.
func (EventType) IsNode() {}

// EventTypePrefix begins the ids of event types.
const EventTypePrefix = "type_"

// ID is the opaque id.
func (t EventType) ID() string { return EventTypePrefix + string(t.Type) }

// Name is the name for programs.
func (t EventType) Name() delivery.EventType { return t.Type }
