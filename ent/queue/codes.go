package queue

import (
	"fmt"
	"slices"
	"strings"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/ent/sqldb"
)

// The tables of the queue keep a word of a closed list as its place in the list,
// so the lists only ever grow at their end. Place 0 is the empty word, and what
// a newer version of the program wrote.
var (
	// Final states start at DELIVERED, and those that were not delivered at
	// FAILED. Conditions of indexes depend on it.
	stateWords = codes[delivery.State]{
		"", delivery.Queued, delivery.Sending, delivery.Retrying, delivery.Held,
		delivery.Delivered, delivery.Failed, delivery.Canceled,
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

var codeNames = strings.NewReplacer(slices.Concat(
	stateWords.names("@state."), typeWords.names("@type."), triggerWords.names("@trigger."),
)...)

// named completes a statement: @state.HELD, @type.ACTIVE_ALERT and @trigger.TEST
// become the numbers of the words. They are written out, not parameters, because
// the indexes are made for them.
func named(query string) string { return codeNames.Replace(query) }

// codes is a closed list of words. The variables above are never changed.
type codes[T ~string] []T

// code returns the number of word; 0 if it is not in the list.
func (c codes[T]) code(word T) int64 {
	return int64(max(0, slices.Index(c, word)))
}

// word returns the word of a number; none if it is not in the list.
func (c codes[T]) word(code int64) T {
	if code < 0 || code >= int64(len(c)) {
		return ""
	}
	return c[code]
}

// names returns the names of the words in statements, each with its number.
func (c codes[T]) names(prefix string) []string {
	var pairs []string
	for i, word := range c[1:] {
		pairs = append(pairs, prefix+string(word), fmt.Sprint(i+1))
	}
	return pairs
}

// among writes the list of words for "column IN (…)".
func (c codes[T]) among(words []T) string {
	numbers := make([]int64, len(words))
	for i, w := range words {
		numbers[i] = c.code(w)
	}
	return sqldb.InList(numbers)
}
