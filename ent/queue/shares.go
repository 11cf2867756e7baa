package queue

import (
	"slices"

	"portalhooks/delivery"
)

// maxInOrder bounds what is leased of one ordered webhook: its deliveries are
// sent one after the other, and all within one lease.
const maxInOrder = 100

// A share is how many rows of one webhook a claim takes at most.
type share struct {
	webhook int64
	rows    int64
}

// shares divides a claim between its candidates: ordered ones apart, alerts
// first. The share of alerts leaves an eighth to others, and that of ordered
// webhooks leaves half.
func shares(all []candidate, c delivery.ClaimRequest) (inOrder, plain []share) {
	var urgent, others, ordered []candidate
	for _, one := range all {
		switch {
		case one.ordered:
			ordered = append(ordered, one)
		case one.urgent:
			urgent = append(urgent, one)
		default:
			others = append(others, one)
		}
	}
	slices.SortStableFunc(ordered, func(a, b candidate) int {
		switch {
		case a.urgent == b.urgent:
			return 0
		case a.urgent:
			return -1
		}
		return 1
	})
	room := c.N
	if len(urgent)+len(others) > 0 {
		room = max(1, c.N/2)
	}
	inOrder = divide(ordered, room, c)
	for i := range inOrder {
		inOrder[i].rows = min(inOrder[i].rows, maxInOrder)
	}
	room = c.N
	if len(others) > 0 {
		room = max(1, c.N-max(1, c.N/8))
	}
	return inOrder, append(divide(urgent, room, c), divide(others, c.N, c)...)
}

// divide gives each of the first candidates the same share of n rows, one at
// least.
func divide(some []candidate, n int, c delivery.ClaimRequest) []share {
	if len(some) > n {
		some = some[:n]
	}
	list := make([]share, 0, len(some))
	for _, one := range some {
		rows := min(c.PerWebhook, max(1, n/len(some)))
		if limit, limited := c.Limits[delivery.WebhookID(one.webhook)]; limited {
			rows = min(rows, limit)
		}
		list = append(list, share{one.webhook, int64(rows)})
	}
	return list
}
