package delivery

import "time"

// A WaitReason is what a pending delivery waits for.
type WaitReason string

// The reasons to wait.
const (
	WaitSchedule  WaitReason = "SCHEDULE"   // the retry schedule
	WaitBreaker   WaitReason = "BREAKER"    // the circuit breaker of the webhook
	WaitRateLimit WaitReason = "RATE_LIMIT" // the rate limit of the webhook
	WaitOrder     WaitReason = "ORDER"      // an older delivery of the ordered webhook
	WaitHeld      WaitReason = "HELD"       // the webhook, until it is enabled
)

// A Waiting says why the next attempt of a delivery is not made yet. The zero
// Waiting is that of a delivery that does not wait.
type Waiting struct {
	For  WaitReason // "" when it waits for its turn alone, or does not wait
	Next time.Time  // the earliest time of the next attempt; zero when that depends on something else
}

// A CancelReason is what canceled a delivery.
type CancelReason string

// The reasons of cancellation.
const (
	WebhookWasDisabled CancelReason = "WEBHOOK_DISABLED" // its webhook was disabled without hold
	WebhookWasDeleted  CancelReason = "WEBHOOK_DELETED"  // its webhook was deleted
	HeldWasDropped     CancelReason = "HELD_DROPPED"     // its webhook was enabled without what it had held
)
