package queue

import (
	"slices"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// The hot tables keep a word of a closed list as its place in the list, so the
// lists only ever grow at their end. Place 0 is the empty word, and what a
// newer version of the program wrote.
var (
	stateWords = codes[delivery.State]{
		"", delivery.Queued, delivery.Sending, delivery.Retrying, delivery.Held,
		delivery.Delivered, delivery.Failed, delivery.Canceled, // from 5 on: final
	}
	typeWords = codes[delivery.EventType]{
		"", delivery.ActiveAlert, delivery.ExecutedMicroservice, delivery.ObjectCreated,
		delivery.ObjectModified, delivery.ObjectDeleted, delivery.OperationExecuted,
		delivery.OperationInWorkspace,
	}
	triggerWords = codes[delivery.Trigger]{
		"", delivery.ByEvent, delivery.ByRedelivery, delivery.ByTest,
	}
	outcomeWords = codes[delivery.Outcome]{
		"", egress.Success, egress.HTTPError, egress.Redirect, egress.Timeout, egress.DNSError,
		egress.ConnectError, egress.TLSError, egress.Blocked, egress.ResponseError,
		delivery.RuleFailed, delivery.BodyTooLarge, egress.Canceled,
	}
)

// The states of log entries that are finished deliveries start here, and those
// of the ones that were not delivered.
const (
	firstFinal       = 5
	firstUndelivered = 6
)

// codes is a closed list of words. The variables above are never changed.
type codes[T ~string] []T

// code returns the number of word; 0 if it is not in the list.
func (c codes[T]) code(word T) int64 {
	return int64(max(0, slices.Index(c, word)))
}

// word returns the word of a number.
func (c codes[T]) word(code int64) T {
	if code < 0 || code >= int64(len(c)) {
		return ""
	}
	return c[code]
}

// among writes the list of words for "column IN (…)".
func (c codes[T]) among(words []T) string {
	numbers := make([]int64, len(words))
	for i, w := range words {
		numbers[i] = c.code(w)
	}
	return sqldb.InList(numbers)
}
