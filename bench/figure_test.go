package bench

import (
	"slices"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	more := goal{must: 0.4, aim: 0.55}
	less := goal{must: 5, aim: 1, less: true}
	for name, tt := range map[string]struct {
		goal  goal
		score float64
		want  Verdict
	}{
		"above the target":            {more, 0.6, Reached},
		"the target":                  {more, 0.55, Reached},
		"between":                     {more, 0.5, Passed},
		"the minimum":                 {more, 0.4, Passed},
		"below the minimum":           {more, 0.39, Missed},
		"lower is better: target":     {less, 0.5, Reached},
		"lower is better: minimum":    {less, 5, Passed},
		"lower is better: above":      {less, 5.1, Missed},
		"lower is better: below zero": {less, -1, Reached},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.goal.verdict(tt.score); got != tt.want {
				t.Errorf("verdict(%v) = %q, want %q", tt.score, got, tt.want)
			}
		})
	}
}

// A goal without a measurement would never be checked.
func TestEveryGoalHasAMeasurement(t *testing.T) {
	for _, kind := range []string{sqliteKind, postgresKind} {
		for name, g := range goalsOf(kind) {
			measurement, _, _ := strings.Cut(name, "-") // one may have several figures
			if !slices.Contains(Names(), measurement) {
				t.Errorf("%s: %s has no measurement", kind, name)
			}
			if g.less == (g.aim > g.must) {
				t.Errorf("%s: the target of %s, %v, is worse than its minimum, %v", kind, name, g.aim, g.must)
			}
		}
	}
}

func TestScoreIsTheMedianOfTheRatios(t *testing.T) {
	m := roundMeasure{name: "pipeline", baseline: "raw", scale: scaleR}
	busy := []float64{0.1, 0.2, 0.3}
	var own, other []sample
	// Both were slow in the second round, which does not affect its ratio.
	for i, rates := range [][2]float64{{50, 100}, {6, 10}, {30, 100}} {
		own = append(own, sample{rate: rates[0], others: &busy[i]})
		other = append(other, sample{rate: rates[1]})
	}
	f := m.figure(shape{}, own, other)
	if f.Value != 30 || f.Score != 0.5 || f.Scale != scaleR {
		t.Errorf("value %v and score %v %s, want 30 and 0.5 R", f.Value, f.Score, f.Scale)
	}
	if f.Others == nil || *f.Others != 0.2 || f.CPU != nil {
		t.Errorf("others %v and CPU %v, want 0.2 and nil", f.Others, f.CPU)
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
