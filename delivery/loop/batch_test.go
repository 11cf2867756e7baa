package loop

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// commitTime is how long a commit of the tests takes, on the clock of synctest.
const commitTime = time.Second

// A batcherTest is a Batcher whose batches are recorded.
type batcherTest struct {
	*Batcher[int]
	batches [][]int
	stop    context.CancelFunc
}

// runBatcher starts run, Run or RunAll, with commits that take commitTime.
func runBatcher(
	t *testing.T, o BatcherOptions[int], run func(*Batcher[int], context.Context, func([]int)),
) *batcherTest {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	b := &batcherTest{Batcher: NewBatcher(o), stop: stop}
	go run(b.Batcher, ctx, func(batch []int) {
		time.Sleep(commitTime)
		b.batches = append(b.batches, batch)
	})
	return b
}

// put hands items over, in order. Each has to find a place.
func (b *batcherTest) put(t *testing.T, items ...int) {
	t.Helper()
	for _, item := range items {
		if err := b.Put(t.Context(), item); err != nil {
			t.Fatalf("Put(%d): %v", item, err)
		}
	}
}

// finish waits for what was handed over, ends the loop and returns its batches.
func (b *batcherTest) finish() [][]int {
	time.Sleep(100 * commitTime)
	b.stop()
	<-b.Ended()
	return b.batches
}

// oddFirst chooses the odd numbers that wait, or else all.
func oddFirst(waiting []int) (batch, later []int, pause time.Duration) {
	for _, n := range waiting {
		if n%2 == 1 {
			batch = append(batch, n)
		} else {
			later = append(later, n)
		}
	}
	if batch == nil {
		return later, nil, 0
	}
	return batch, later, 0
}

// What is not chosen waits for the pause, and what arrives meanwhile does not.
func TestBatcherPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		choose := func(waiting []int) (batch, later []int, pause time.Duration) {
			if pause = time.Minute - time.Since(began); pause <= 0 {
				return waiting, nil, 0
			}
			for _, n := range waiting {
				if n < 10 {
					batch = append(batch, n)
				} else {
					later = append(later, n)
				}
			}
			return batch, later, pause
		}
		b := NewBatcher(BatcherOptions[int]{Queue: 8, Choose: choose})
		ctx, stop := context.WithCancel(t.Context())
		go b.Run(ctx, func([]int) { at = append(at, time.Since(began)) })
		for _, n := range []int{10, 11, 1} {
			if err := b.Put(ctx, n); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		stop() // what was taken is committed all the same, when it is due
		<-b.Ended()
		if want := []time.Duration{2 * time.Second, time.Minute}; !slices.Equal(at, want) {
			t.Errorf("committed after %v, want %v", at, want)
		}
	})
}

func TestBatcherGathersWhatArrivesDuringACommit(t *testing.T) {
	// smallSum chooses items while the sum of a batch is at most 10.
	smallSum := func(waiting []int) (batch, later []int, pause time.Duration) {
		sum := 0
		for i, item := range waiting {
			if sum += item; i > 0 && sum > 10 {
				return waiting[:i], waiting[i:], 0
			}
		}
		return waiting, nil, 0
	}
	// positive throws away what no caller waits for any more.
	positive := func(waiting []int) (batch, later []int, pause time.Duration) {
		return slices.DeleteFunc(waiting, func(n int) bool { return n < 0 }), nil, 0
	}
	for name, tt := range map[string]struct {
		options BatcherOptions[int]
		first   int // taken alone: nothing else has arrived
		during  []int
		want    [][]int
	}{
		"one batch for all": {
			options: BatcherOptions[int]{Queue: 8}, first: 1, during: []int{2, 3, 4},
			want: [][]int{{1}, {2, 3, 4}},
		},
		"nothing arrives": {options: BatcherOptions[int]{Queue: 8}, first: 1, want: [][]int{{1}}},
		"at most max items in a batch": {
			options: BatcherOptions[int]{Queue: 8, Max: 2}, first: 1, during: []int{2, 3, 4, 5, 6},
			want: [][]int{{1}, {2, 3}, {4, 5}, {6}},
		},
		"an item that does not fit starts the next batch": {
			options: BatcherOptions[int]{Queue: 8, Choose: smallSum}, first: 1, during: []int{6, 4, 5, 5, 9},
			want: [][]int{{1}, {6, 4}, {5, 5}, {9}},
		},
		"an item that never fits is a batch of its own": {
			options: BatcherOptions[int]{Queue: 8, Choose: smallSum}, first: 99, during: []int{99, 1, 2},
			want: [][]int{{99}, {99}, {1, 2}},
		},
		"what is left goes before what arrives later": {
			options: BatcherOptions[int]{Queue: 8, Choose: oddFirst}, first: 1, during: []int{2, 4, 3, 5},
			want: [][]int{{1}, {3, 5}, {2, 4}},
		},
		"nothing chosen is no commit": {
			options: BatcherOptions[int]{Queue: 8, Choose: positive}, first: 1, during: []int{-2, -4},
			want: [][]int{{1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := runBatcher(t, tt.options, (*Batcher[int]).Run)
				b.put(t, tt.first)
				synctest.Wait() // its commit is in progress
				b.put(t, tt.during...)
				if got := b.finish(); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("batches %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestItemsWaitForNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := runBatcher(t, BatcherOptions[int]{}, (*Batcher[int]).Run)
		start := time.Now()
		for i := range 3 {
			b.put(t, i)     // without a queue it returns when the loop has taken the item
			synctest.Wait() // its commit is in progress
		}
		if got, want := time.Since(start), 2*commitTime; got != want {
			t.Errorf("three items were taken after %s, want %s: two commits and nothing else", got, want)
		}
		b.finish()
	})
}

func TestPutBlocksWhileTheQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBatcher(BatcherOptions[int]{Queue: 1}) // nothing runs: nothing is taken
		if err := b.Put(t.Context(), 1); err != nil {
			t.Fatalf("Put into an empty queue: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if err := b.Put(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put into a full queue: %v, want the error of its context", err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("Put returned after %s, want 1m: it waits for room", got)
		}
	})
}

func TestPutFailsWhenTheLoopHasEnded(t *testing.T) {
	for name, queue := range map[string]int{"no queue": 0, "a queue with room": 100} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := runBatcher(t, BatcherOptions[int]{Queue: queue}, (*Batcher[int]).Run)
				b.stop()
				<-b.Ended()
				for range 20 { // a select that could put the item would, half of the time
					if err := b.Put(t.Context(), 1); !errors.Is(err, ErrStopped) {
						t.Fatalf("Put: %v, want %v", err, ErrStopped)
					}
				}
			})
		})
	}
}

func TestTheEndOfTheLoopReleasesABlockedPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := runBatcher(t, BatcherOptions[int]{}, (*Batcher[int]).Run)
		b.put(t, 1)
		synctest.Wait() // its commit is in progress
		failed := make(chan error, 1)
		go func() { failed <- b.Put(t.Context(), 2) }()
		synctest.Wait()
		b.stop()
		err := <-failed
		<-b.Ended()
		// The loop may take the item before it sees its end, and commits it then.
		want := [][]int{{1}, {2}}
		if errors.Is(err, ErrStopped) {
			want = want[:1]
		} else if err != nil {
			t.Errorf("Put: %v, want it to succeed or %v", err, ErrStopped)
		}
		if !reflect.DeepEqual(b.batches, want) {
			t.Errorf("Put: %v, but the batches are %v, want %v", err, b.batches, want)
		}
	})
}

func TestRunEndsAfterTheCommitInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := runBatcher(t, BatcherOptions[int]{}, (*Batcher[int]).Run)
		b.put(t, 1)
		start := time.Now()
		b.stop()
		<-b.Ended()
		if got := time.Since(start); got != commitTime {
			t.Errorf("Run ended after %s, want %s", got, commitTime)
		}
		if want := [][]int{{1}}; !reflect.DeepEqual(b.batches, want) {
			t.Errorf("batches %v, want %v", b.batches, want)
		}
	})
}

func TestRunAllCommitsWhatWasHandedOverBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := runBatcher(t, BatcherOptions[int]{Queue: 8, Max: 2}, (*Batcher[int]).RunAll)
		b.put(t, 1)
		synctest.Wait()
		b.put(t, 2, 3, 4, 5)
		b.stop()
		<-b.Ended()
		if want := [][]int{{1}, {2, 3}, {4, 5}}; !reflect.DeepEqual(b.batches, want) {
			t.Errorf("batches %v, want %v", b.batches, want)
		}
	})
}

// BenchmarkBatcher measures what the group commit itself costs an item, with
// commits that do nothing and callers that wait for their answer.
func BenchmarkBatcher(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			batcher := NewBatcher(BatcherOptions[chan struct{}]{Queue: callers, Max: callers})
			ctx, stop := context.WithCancel(b.Context())
			batches := 0
			go batcher.Run(ctx, func(batch []chan struct{}) {
				batches++
				for _, answer := range batch {
					answer <- struct{}{}
				}
			})
			b.ReportAllocs()
			b.ResetTimer()
			putConcurrently(ctx, b, batcher, callers)
			stop()
			<-batcher.Ended()
			b.ReportMetric(float64(b.N)/float64(batches), "items/batch")
		})
	}
}

// putConcurrently puts b.N items from so many callers.
func putConcurrently(ctx context.Context, b *testing.B, batcher *Batcher[chan struct{}], callers int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			answer := make(chan struct{}, 1)
			for left.Add(-1) >= 0 {
				if err := batcher.Put(ctx, answer); err != nil {
					b.Errorf("Put: %v", err)
					return
				}
				<-answer
			}
		})
	}
	group.Wait()
}
