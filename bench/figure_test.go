package bench

import (
	"slices"
	"testing"
)

func TestJudge(t *testing.T) {
	more := goal{must: 0.4, aim: 0.55}
	less := goal{must: 5, aim: 1, less: true}
	for name, tt := range map[string]struct {
		goal  goal
		score float64
		want  Verdict
	}{
		"above the aim":                {more, 0.6, Reached},
		"the aim itself":               {more, 0.55, Reached},
		"between":                      {more, 0.5, Passed},
		"the least that must be":       {more, 0.4, Passed},
		"below what must be":           {more, 0.39, Missed},
		"less is better: below aim":    {less, 0.5, Reached},
		"less is better: between":      {less, 5, Passed},
		"less is better: above":        {less, 5.1, Missed},
		"less is better: below nought": {less, -1, Reached},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.goal.judge(tt.score); got != tt.want {
				t.Errorf("judge(%v) = %q, want %q", tt.score, got, tt.want)
			}
		})
	}
}

// A goal that no measurement has would never be judged.
func TestEveryGoalHasAMeasurement(t *testing.T) {
	for _, kind := range []string{sqliteKind, postgresKind} {
		for name, g := range goalsOf(kind) {
			if !slices.Contains(Names(), name) {
				t.Errorf("%s: nothing measures %s", kind, name)
			}
			if g.less == (g.aim > g.must) {
				t.Errorf("%s: %s aims at %v, which is worse than what must be, %v", kind, name, g.aim, g.must)
			}
		}
	}
}

func TestAFigureTakesTheMedianOfTheRatios(t *testing.T) {
	m := turnMeasure{name: "pipeline", of: "raw", scale: scaleR}
	busy := []float64{0.1, 0.2, 0.3}
	var own, other []sample
	// The second round was slow for both: its ratio is as good as any.
	for i, rates := range [][2]float64{{50, 100}, {6, 10}, {30, 100}} {
		own = append(own, sample{rate: rates[0], others: &busy[i]})
		other = append(other, sample{rate: rates[1]})
	}
	f := m.figure(shape{}, own, other)
	if f.Value != 30 || f.Score != 0.5 || f.Scale != scaleR {
		t.Errorf("value %v and score %v %s, want 30 and 0.5 R", f.Value, f.Score, f.Scale)
	}
	if f.Others == nil || *f.Others != 0.2 || f.CPU != nil {
		t.Errorf("others %v and CPU %v, want 0.2 and nothing", f.Others, f.CPU)
	}
}

func TestShort(t *testing.T) {
	for want, n := range map[string]float64{
		"0": 0, "1.23": 1.234, "12.3": 12.34, "1234": 1234.4, "-0.50": -0.5, "-12.3": -12.34, "100": 100, "4": 4,
	} {
		if got := short(n); got != want {
			t.Errorf("short(%v) = %q, want %q", n, got, want)
		}
	}
}
