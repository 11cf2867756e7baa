// Package delivery turns events into webhook calls and remembers what happened.
//
// An event travels one way through the package:
//
//	ingest   accept an event from Portal once, however often it is sent
//	match    find the enabled webhooks that listen to it
//	enqueue  store the event and one Delivery per webhook in one transaction
//	dispatch hand due deliveries to the workers, under a lease
//	render   fill the webhook's message template
//	attempt  make one signed HTTP call
//	settle   store the attempt and the delivery's next state
//	publish  wake the live feed
//
// Once Portal has its answer, every delivery that the event causes is durable.
// Everything after enqueue is repeated until it is settled, so a receiver sees
// each delivery at least once and uses the webhook-id header to drop repeats.
//
// Who may do what is a rule of this package: every method of Service takes the
// Caller and checks its role. The package knows neither GraphQL nor SQL. It
// declares the Store it needs; package ent provides one.
package delivery
