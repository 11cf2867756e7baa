// Package fair decides whose turn it is.
//
// A Scheduler holds the jobs in memory and hands them to workers: deficit round
// robin over organizations, and within one over the lanes of its webhooks, with
// alerts first (scheduler.go, turns.go). A lane keeps its webhook within its
// concurrency and its rate limit (lane.go) and behind a circuit breaker
// (breaker.go). The end of a job tells the lane what it may do next
// (complete.go).
//
// The package makes no calls, stores nothing and starts no goroutines.
package fair
