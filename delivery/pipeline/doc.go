// Package pipeline takes an event from Portal's report to the subscribers of
// the delivery log. A file is a stage, in this order:
//
//	ingest    accept a report once, however often it is sent
//	expand    find the facts that it states: an operation on n devices is 1 + n
//	match     find the enabled webhooks that fire for each of them
//	enqueue   store events and deliveries in one transaction; Portal has its answer
//	dispatch  hand jobs to workers: fresh ones at once, all others by claim
//	attempt   look up the target, render the message, send it
//	settle    store the attempt and the delivery's next state
//	settled   free the memory, let ordered deliveries go on, note the target's health
//	watch     publish the entry of the log to its subscribers
//
// Once Portal has its answer, every delivery that the event causes is durable.
// Every stage after enqueue is repeated until its result is settled, so a
// receiver sees each delivery at least once and uses the webhook-id header to
// drop repeats.
//
// Each stage is a struct of what it needs, with small interfaces to its
// neighbours; New wires them, and Run starts and ends them in order. No stage
// checks roles: package service does, before it calls one.
package pipeline
