// Package failpoint kills the process at a chosen point, as kill -9 would, so that
// tests can check crash recovery.
//
//	doc   the points
//	on    with the build tag failpoints: Hit may kill the process
//	off   without the tag, as in every release: Hit does nothing
//
// A program built with the tag reads the point from its environment:
// "settle.before-commit:3" kills it the third time that it reaches this point. An
// end-to-end test checks that a program built without the tag contains no
// failpoint code.
package failpoint

// A Point names a place in the code.
type Point string

// The points, in the order in which a delivery passes them. IngestBeforeCommit
// exists on SQLite only: PostgreSQL stores a batch in one statement.
const (
	IngestBeforeInsert Point = "ingest.before-insert" // accepted, nothing stored
	IngestBeforeCommit Point = "ingest.before-commit" // rows written, not durable
	IngestAfterCommit  Point = "ingest.after-commit"  // durable, no response to Portal yet
	ClaimAfterCommit   Point = "claim.after-commit"   // leased to this server, not sent
	CallBeforeDial     Point = "call.before-dial"     // about to connect to the receiver
	CallSent           Point = "call.sent"            // request sent, no response yet
	CallAnswered       Point = "call.answered"        // response read, not settled
	SettleBeforeCommit Point = "settle.before-commit" // results not durable yet
	RetryBeforeCommit  Point = "retry.before-commit"  // the same, with a retry in the batch
	SettleAfterCommit  Point = "settle.after-commit"  // durable, not published
	FeedBeforePublish  Point = "feed.before-publish"  // read from the delivery log, not published
)
