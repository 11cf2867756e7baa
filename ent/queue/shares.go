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

// lessClaimed returns what is left of the shares after a claim of ordered rows: of
// no webhook more is claimed in all than of one.
func lessClaimed(list []share, jobs []delivery.Job, c delivery.ClaimRequest) []share {
	if len(jobs) == 0 {
		return list
	}
	claimed := make(map[int64]int)
	for i := range jobs {
		claimed[int64(jobs[i].Delivery.Webhook)]++
	}
	left := make([]share, 0, len(list))
	for _, one := range list {
		one.rows = min(one.rows, int64(limitOf(one.webhook, c)-claimed[one.webhook]))
		if one.rows > 0 {
			left = append(left, one)
		}
	}
	return left
}

// limitOf returns how many rows of a webhook a claim takes at most.
func limitOf(webhook int64, c delivery.ClaimRequest) int {
	if limit, limited := c.Limits[delivery.WebhookID(webhook)]; limited {
		return min(c.PerWebhook, limit)
	}
	return c.PerWebhook
}

// divide gives each of the first candidates the same share of n rows, one at
// least.
func divide(some []candidate, n int, c delivery.ClaimRequest) []share {
	if len(some) > n {
		some = some[:n]
	}
	list := make([]share, 0, len(some))
	for _, one := range some {
		rows := min(limitOf(one.webhook, c), max(1, n/len(some)))
		list = append(list, share{one.webhook, int64(rows)})
	}
	return list
}
