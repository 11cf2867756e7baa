// Package failpoint ends the process, as kill -9 would, at a chosen point of
// its work, so that tests can show what is left then.
//
//	doc   the points
//	on    with the build tag failpoints: Hit may kill
//	off   without it, as in every released program: Hit is nothing at all
//
// A program built with the tag takes from its environment where to die:
// "settle.before-commit:3" is the third time that it gets to that point. A test
// of the module's root proves that a program built without the tag holds no
// trace of all this.
package failpoint

// A Point is a place in the program's work.
type Point string

// The points, in the order in which a delivery passes them. PostgreSQL stores a
// batch in one statement, so that nothing lies between its rows and its commit
// there: IngestBeforeCommit is SQLite's alone.
const (
	IngestBeforeInsert Point = "ingest.before-insert" // accepted, nothing stored
	IngestBeforeCommit Point = "ingest.before-commit" // rows written, not durable
	IngestAfterCommit  Point = "ingest.after-commit"  // durable, Portal has no answer yet
	ClaimAfterCommit   Point = "claim.after-commit"   // lent to this process, not sent
	CallBeforeDial     Point = "call.before-dial"     // about to connect to the receiver
	CallSent           Point = "call.sent"            // the request has left, there is no answer yet
	CallAnswered       Point = "call.answered"        // the answer is read, nothing is settled
	SettleBeforeCommit Point = "settle.before-commit" // results on their way, not durable
	RetryBeforeCommit  Point = "retry.before-commit"  // the same, with a retry among them
	SettleAfterCommit  Point = "settle.after-commit"  // durable, nobody is told
	FeedBeforePublish  Point = "feed.before-publish"  // read for the live log, no watcher has it
)
