// Package model holds what the GraphQL API shows where that differs from the
// domain's types: ids as opaque text, empty values as null, durations in the
// units of the schema.
//
// Things that one resolver returned together stay together: each view knows
// its Siblings, so that a field that needs the store asks once for all of them
// (see Field). A page of deliveries with their webhooks, events and attempts
// costs one query each, however the client spells the list and however deep
// the fields are nested.
package model
