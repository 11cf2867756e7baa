package loop

// A Wake holds at most one wake-up of a loop: several that come while the loop
// is busy are one. Make it with NewWake.
type Wake chan struct{}

// NewWake returns a Wake without a wake-up.
func NewWake() Wake { return make(chan struct{}, 1) }

// Notify wakes the loop, now or when it waits next. It never blocks.
func (w Wake) Notify() {
	select {
	case w <- struct{}{}:
	default: // one is waiting already
	}
}
