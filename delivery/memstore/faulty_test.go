package memstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
)

func TestFaultsFailTheirCallsOnly(t *testing.T) {
	broken := errors.New("broken")
	ada, bob := delivery.Owner{Slot: 0, Epoch: 1}, delivery.Owner{Slot: 1, Epoch: 1}
	calls := map[string]func(context.Context, *Faulty) error{
		"ping": func(ctx context.Context, f *Faulty) error { return f.Ping(ctx) },
		"claim of one server": func(ctx context.Context, f *Faulty) error {
			_, err := f.Claim(ctx, delivery.ClaimRequest{Owner: ada, N: 1, PerWebhook: 1})
			return err
		},
		"claim of another": func(ctx context.Context, f *Faulty) error {
			_, err := f.Claim(ctx, delivery.ClaimRequest{Owner: bob, N: 1, PerWebhook: 1})
			return err
		},
		"settle": func(ctx context.Context, f *Faulty) error {
			_, err := f.Settle(ctx, []delivery.Settlement{{Owner: bob}})
			return err
		},
		"config": func(ctx context.Context, f *Faulty) error {
			_, _, err := f.Config(ctx, 1)
			return err
		},
	}
	for name, tt := range map[string]struct {
		fault func(*Faulty)
		fails []string
	}{
		"no fault":         {func(*Faulty) {}, nil},
		"down":             {func(f *Faulty) { f.Down = broken }, slices.Collect(maps.Keys(calls))},
		"a cut off server": {func(f *Faulty) { f.Dead[ada] = true }, []string{"claim of one server"}},
		"a poisoned settlement": {
			func(f *Faulty) { f.Poison = func(*delivery.Settlement) bool { return true } }, []string{"settle"},
		},
		"an unreadable organization": {func(f *Faulty) { f.Unreadable[1] = broken }, []string{"config"}},
		"a method": {
			func(f *Faulty) {
				f.Fail = func(method string) error {
					if method == "Ping" {
						return broken
					}
					return nil
				}
			},
			[]string{"ping"},
		},
	} {
		f := NewFaulty()
		f.OrgRows = []delivery.Organization{{ID: 1}}
		tt.fault(f)
		for call, do := range calls {
			if err := do(t.Context(), f); (err != nil) != slices.Contains(tt.fails, call) {
				t.Errorf("%s: %s gave %v", name, call, err)
			}
		}
	}
}

func TestACallThatTakesLongEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFaulty()
		f.Took["Ping"] = time.Minute
		began := time.Now()
		if err := f.Ping(t.Context()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("Ping gave %v after %s, want it to work after a minute", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if err := f.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Ping gave %v after %s, want the end of the context after a second", err, time.Since(began))
		}
	})
}

// A claim that is supplied meets the other faults all the same.
func TestSuppliedClaimsCanFail(t *testing.T) {
	f := NewFaulty()
	want := delivery.Job{Delivery: delivery.Delivery{ID: 7}}
	f.Supply = func(delivery.ClaimRequest) []delivery.Job { return []delivery.Job{want} }
	jobs, err := f.Claim(t.Context(), delivery.ClaimRequest{N: 1, PerWebhook: 1})
	if err != nil || len(jobs) != 1 || jobs[0].Delivery.ID != want.Delivery.ID {
		t.Errorf("Claim gave %+v, %v, want what is supplied", jobs, err)
	}
	held, err := f.Settle(t.Context(), []delivery.Settlement{{}})
	if err != nil || !slices.Equal(held, []bool{true}) || len(f.LogRows) > 0 {
		t.Errorf("Settle gave %v, %v and wrote %v, want it to do nothing", held, err, f.LogRows)
	}
	f.Down = errors.New("down")
	if _, err := f.Claim(t.Context(), delivery.ClaimRequest{N: 1, PerWebhook: 1}); !errors.Is(err, f.Down) {
		t.Errorf("Claim gave %v, want %v", err, f.Down)
	}
	if _, err := f.Settle(t.Context(), []delivery.Settlement{{}}); !errors.Is(err, f.Down) {
		t.Errorf("Settle gave %v, want %v", err, f.Down)
	}
}
