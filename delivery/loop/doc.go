// Package loop has what the background loops share, once each:
//
//	sleep.go    a sleep that ends with its context
//	wake.go     a wake-up that is never lost and never blocks
//	backoff.go  growing pauses between the tries of something that fails
//	batch.go    a group commit: whatever arrives during one transaction is the next
package loop
