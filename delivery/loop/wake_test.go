package loop

import (
	"testing"
	"testing/synctest"
)

// pending returns how many wake-ups a loop would find, one after the other.
func pending(w Wake) int {
	n := 0
	for {
		select {
		case <-w:
			n++
		default:
			return n
		}
	}
}

func TestWakeHoldsAtMostOneWakeUp(t *testing.T) {
	for name, tt := range map[string]struct{ notified, want int }{
		"not notified":              {notified: 0, want: 0},
		"notified once":             {notified: 1, want: 1},
		"notified while it is busy": {notified: 5, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWake()
			for range tt.notified {
				w.Notify() // would block the test if it ever blocked
			}
			if got := pending(w); got != tt.want {
				t.Errorf("the loop wakes %d times, want %d", got, tt.want)
			}
		})
	}
}

func TestNotifyAfterAWakeUpWakesAgain(t *testing.T) {
	w := NewWake()
	w.Notify()
	<-w
	w.Notify() // as happens while the loop does what the first was for
	if got := pending(w); got != 1 {
		t.Errorf("the loop wakes %d more times, want 1", got)
	}
}

func TestNotifyWakesALoopThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, woken := NewWake(), false
		go func() {
			<-w
			woken = true
		}()
		synctest.Wait()
		if woken {
			t.Fatal("the loop woke before it was notified")
		}
		w.Notify()
		synctest.Wait()
		if !woken {
			t.Error("the loop still waits after Notify")
		}
	})
}
