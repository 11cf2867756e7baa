package model

import (
	"portalhooks/delivery"
)

// A Node is an object that Query.node can return.
type Node interface{ IsNode() }

// An Organization is an organization of the GraphQL API.
type Organization struct{ delivery.Organization }

// NewOrganizations returns the views of all, in order; nil for nil.
func NewOrganizations(all []*delivery.Organization) []*Organization {
	return views(all, func(_ int, o *delivery.Organization) *Organization { return &Organization{*o} })
}

// IsNode marks a Node.
func (Organization) IsNode() {}

// ID is the opaque id.
func (o Organization) ID() string { return o.Organization.ID.String() }

// An Item is an item of the GraphQL API.
type Item struct{ delivery.Item }

// NewItems returns the views of all, in order; nil for nil.
func NewItems(all []*delivery.Item) []*Item {
	return views(all, func(_ int, i *delivery.Item) *Item { return &Item{*i} })
}

// IsNode marks a Node.
func (Item) IsNode() {}

// ID is the opaque id.
func (i Item) ID() string { return i.Item.ID.String() }

// ViewURL is the URL of the item's page in Portal; nil if there is none.
func (i Item) ViewURL() *string { return text(i.Item.ViewURL) }

// An EventType is an event type of the GraphQL API.
type EventType struct{ delivery.TypeInfo }

// IsNode marks a Node.
func (EventType) IsNode() {}

// EventTypePrefix is the prefix of the ids of event types.
const EventTypePrefix = "type_"

// ID is the opaque id.
func (t EventType) ID() string { return EventTypePrefix + string(t.Type) }

// Name is the machine-readable name.
func (t EventType) Name() delivery.EventType { return t.Type }
