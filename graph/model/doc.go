// Package model has the GraphQL types that differ from the domain's types: ids are
// opaque text, empty values are null, durations are in the units of the schema.
//
// Objects that a resolver returns together are siblings. Each view refers to its
// siblings, so that a field that needs the store loads it once for all of them
// (see Field). A page of deliveries with webhooks, events and attempts takes one
// query for each of those, regardless of nesting and aliases.
package model
