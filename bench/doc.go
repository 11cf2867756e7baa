// Package bench measures how fast Portalhooks is on the machine at hand.
//
// Rates on two machines, or on one machine on two days, can't be compared. So
// what matters here are ratios within one run: R is what a bare HTTP client
// posts to the same receiver, F is what one connection commits to the same kind
// of database, and both are measured in turns with what is compared to them.
//
// A run uses databases of its own, which it makes and drops, and processes of
// its own, which it starts from the program's file and ends:
//
//	sink      the receiver, in a process of its own
//	server    the program, serving the API
//	engine    delivery.Service over ent.Store, in this process
//
// The measurements are one file each: throughput.go has those that take turns,
// and latency.go, hanging.go, crash.go, memory.go, claim.go, storage.go and
// connections.go the others. figure.go has the goals.
package bench
