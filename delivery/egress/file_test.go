package egress

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A process without files left waits for one: that is not the receiver's fault.
func TestDialsWaitForAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tries := 0
		err := withFile(ctx, func() error {
			if tries++; tries < 4 {
				return none
			}
			return nil
		})
		if err != nil || tries != 4 {
			t.Errorf("%v after %d tries, want the fourth to work", err, tries)
		}
		refused := errors.New("refused")
		if err := withFile(ctx, func() error { return refused }); !errors.Is(err, refused) {
			t.Errorf("another error: %v", err)
		}
		if err := withFile(ctx, func() error { return none }); !errors.Is(err, syscall.EMFILE) || ctx.Err() == nil {
			t.Errorf("no file until the end: %v, want EMFILE at the deadline", err)
		}
	})
}
