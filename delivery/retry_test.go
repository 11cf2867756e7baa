package delivery

import (
	"net/http"
	"testing"
	"time"

	"portalhooks/delivery/egress"
)

// middle is the random number that varies nothing.
const middle = 0.5

func TestJudge(t *testing.T) {
	short := Policy{Retry: Schedule{time.Minute, time.Hour}}
	strict := Policy{Retry: short.Retry, Stop4xx: true}

	for name, tt := range map[string]struct {
		policy     Policy
		attempt    Attempt
		retryAfter time.Duration
		random     float64
		state      State
		pause      time.Duration
		gone       bool
	}{
		"accepted":                  {attempt: Attempt{Number: 1, Outcome: egress.Success, HTTPStatus: 204}, state: Delivered},
		"accepted on the last try":  {policy: short, attempt: Attempt{Number: 3, Outcome: egress.Success, HTTPStatus: 200}, state: Delivered},
		"first failure":             {policy: short, attempt: failure(1, 500), state: Retrying, pause: time.Minute},
		"second failure":            {policy: short, attempt: failure(2, 500), state: Retrying, pause: time.Hour},
		"out of attempts":           {policy: short, attempt: failure(3, 500), state: Failed},
		"no retries wanted":         {policy: Policy{Retry: Schedule{}}, attempt: failure(1, 500), state: Failed},
		"default schedule":          {attempt: failure(9, 500), state: Retrying, pause: 24 * time.Hour},
		"default schedule is over":  {attempt: failure(10, 500), state: Failed},
		"redirect is not success":   {policy: short, attempt: Attempt{Number: 1, Outcome: egress.Redirect, HTTPStatus: 301}, state: Retrying, pause: time.Minute},
		"gone":                      {policy: short, attempt: failure(1, 410), state: Failed, gone: true},
		"earliest":                  {policy: short, attempt: failure(1, 500), random: 1e-12, state: Retrying, pause: 48 * time.Second},
		"latest":                    {policy: short, attempt: failure(1, 500), random: 0.999999999, state: Retrying, pause: 72 * time.Second},
		"asked to wait longer":      {policy: short, attempt: failure(1, 429), retryAfter: 2 * time.Hour, state: Retrying, pause: 2 * time.Hour},
		"asked to wait shorter":     {policy: short, attempt: failure(1, 503), retryAfter: time.Second, state: Retrying, pause: time.Minute},
		"asked to wait too long":    {policy: short, attempt: failure(1, 503), retryAfter: 1000 * time.Hour, state: Retrying, pause: 24 * time.Hour},
		"asked by another status":   {policy: short, attempt: failure(1, 500), retryAfter: 2 * time.Hour, state: Retrying, pause: time.Minute},
		"asked on the last attempt": {policy: short, attempt: failure(3, 429), retryAfter: time.Hour, state: Failed},
		"strict: bad request":       {policy: strict, attempt: failure(1, 400), state: Failed},
		"strict: too many":          {policy: strict, attempt: failure(1, 429), state: Retrying, pause: time.Minute},
		"strict: server error":      {policy: strict, attempt: failure(1, 500), state: Retrying, pause: time.Minute},
		"message too large":         {policy: short, attempt: Attempt{Number: 1, Outcome: BodyTooLarge}, state: Failed},
		"our own shutdown":          {policy: short, attempt: Attempt{Number: 3, Outcome: egress.Canceled}, state: Queued},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.random == 0 {
				tt.random = middle
			}
			got := Judge(tt.policy, &tt.attempt, tt.retryAfter, tt.random)
			if got.State != tt.state || got.Gone != tt.gone {
				t.Errorf("judge = %s, gone %v; want %s, %v", got.State, got.Gone, tt.state, tt.gone)
			}
			if tt.state != Retrying {
				if got.Pause != 0 {
					t.Errorf("due after %s, want never", got.Pause)
				}
				return
			}
			if pause := got.Pause.Round(time.Millisecond); pause != tt.pause {
				t.Errorf("due after %s, want %s", pause, tt.pause)
			}
		})
	}
}

func failure(number, status int) Attempt {
	return Attempt{Number: number, Outcome: egress.HTTPError, HTTPStatus: status}
}

// Every status has a rule, with and without Stop4xx.
func TestJudgeEveryStatus(t *testing.T) {
	for status := 100; status <= 599; status++ {
		for _, stop := range []bool{false, true} {
			a := failure(1, status)
			want := Retrying
			switch {
			case status >= 200 && status < 300:
				a.Outcome, want = egress.Success, Delivered
			case status >= 300 && status < 400:
				a.Outcome = egress.Redirect
			case status == http.StatusGone:
				want = Failed
			case status == 408, status == 425, status == 429:
			case stop && status >= 400 && status < 500:
				want = Failed
			}
			got := Judge(Policy{Stop4xx: stop}, &a, 0, middle)
			if got.State != want || got.Gone != (status == http.StatusGone) {
				t.Errorf("%d with Stop4xx %v: %+v, want %s", status, stop, got, want)
			}
			if got.State == Retrying && got.Pause != DefaultSchedule[0] {
				t.Errorf("%d: due after %s, want %s", status, got.Pause, DefaultSchedule[0])
			}
		}
	}
}

// Every way not to get an answer is tried again until the schedule ends, but
// for our own shutdown and what can't be sent at all.
func TestJudgeEveryOutcome(t *testing.T) {
	for outcome, want := range map[Outcome]State{
		egress.Timeout: Retrying, egress.DNSError: Retrying, egress.ConnectError: Retrying,
		egress.TLSError: Retrying, egress.Blocked: Retrying, egress.ResponseError: Retrying, RuleFailed: Retrying,
		egress.Canceled: Queued, BodyTooLarge: Failed,
	} {
		for number := 1; number <= len(DefaultSchedule)+1; number++ {
			expected := want
			if want == Retrying && number > len(DefaultSchedule) {
				expected = Failed
			}
			a := Attempt{Number: number, Outcome: outcome}
			if got := Judge(Policy{Stop4xx: true}, &a, 0, middle); got.State != expected {
				t.Errorf("attempt %d ended %s: %s, want %s", number, outcome, got.State, expected)
			}
		}
	}
}

func TestPausesStayWithinAFifth(t *testing.T) {
	for _, pause := range DefaultSchedule {
		low, high := vary(pause, 0), vary(pause, 1)
		if low < pause*79/100 || low > pause*81/100 || high > pause*121/100 || high < pause*119/100 {
			t.Errorf("%s varies from %s to %s, want 20 %% either way", pause, low, high)
		}
	}
}
