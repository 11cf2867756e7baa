package loop

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleepEndsWithItsDurationOrItsContext(t *testing.T) {
	for name, tt := range map[string]struct {
		sleep, stop time.Duration
		took        time.Duration
		lasts       bool
	}{
		"the whole pause":            {sleep: time.Minute, stop: time.Hour, took: time.Minute, lasts: true},
		"the context ends meanwhile": {sleep: time.Hour, stop: time.Minute, took: time.Minute, lasts: false},
		"the context has ended":      {sleep: time.Hour, stop: 0, took: 0, lasts: false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.stop)
				defer cancel()
				start := time.Now()

				if lasts := Sleep(ctx, tt.sleep); lasts != tt.lasts {
					t.Errorf("Sleep = %t, want %t", lasts, tt.lasts)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("Sleep returned after %s, want %s", took, tt.took)
				}
			})
		})
	}
}
