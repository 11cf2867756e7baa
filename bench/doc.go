// Package bench measures the performance of Portalhooks on this machine.
//
// Rates from different machines, or from different days, are not comparable. The
// results are therefore ratios within one run: R is the rate at which a bare HTTP
// client posts to the same receiver, F the rate at which one connection commits to the
// same kind of database. Each measurement alternates with its baseline in rounds.
//
// A run creates and drops its own databases, and starts and stops its own processes:
//
//	sink      the receiver, a process of the program
//	server    the API server, a process of the program
//	engine    delivery.Service over ent.Store, in this process
//
// throughput.go has the measurements repeated in rounds; latency.go, hanging.go,
// crash.go, memory.go, claim.go, storage.go, connections.go and growth.go have one of
// the others each. figure.go has the goals.
package bench
