package transport

import (
	"context"
	"time"
)

// recheckTimeout bounds how long Recheck may keep a connection from its other
// work.
const recheckTimeout = 5 * time.Second

// stillHolds asks Recheck about the identity in ctx.
func (h *Handler) stillHolds(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	return h.opts.Recheck(ctx) == nil
}
