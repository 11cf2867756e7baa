package bench

import (
	"fmt"
	"math"
)

// A Verdict is the result of comparing a figure with its goals.
type Verdict string

// The verdicts.
const (
	Reached Verdict = "aim"  // reaches the target
	Passed  Verdict = "pass" // reaches the minimum
	Missed  Verdict = "MISS" // misses the minimum
	NoGoal  Verdict = ""     // has no goals
)

// A Figure is the result of a measurement.
type Figure struct {
	Name  string  `json:"name"`
	Title string  `json:"title"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Score is compared with the goals, on Scale: a ratio to R or F, or Value itself.
	Score   float64  `json:"score"`
	Scale   string   `json:"scale"`
	Must    *float64 `json:"must"`
	Aim     *float64 `json:"aim"`
	Verdict Verdict  `json:"verdict"`
	// Rounds are the values of the rounds, if the measurement was repeated.
	Rounds []float64 `json:"rounds,omitempty"`
	// CPU is the CPU time of the server, or the engine, and the database in seconds
	// per 1,000 deliveries or events; null if unknown.
	CPU *float64 `json:"cpuSecondsPerThousand"`
	// Others is the share of the machine's CPU used by other programs meanwhile; null
	// if unknown.
	Others *float64 `json:"cpuShareOfOthers"`
	Note   string   `json:"note,omitempty"`
}

// A goal is the minimum that a figure must reach and the target that it should reach.
type goal struct {
	scale     string
	must, aim float64
	less      bool // lower is better
}

// The scales of goals.
const (
	scaleR      = "R"
	scaleF      = "F"
	scaleTimes  = "x"
	scaleAck    = "ack + ms"
	scaleMs     = "ms"
	scaleSecond = "s"
	scaleMB     = "MB"
	scaleBytes  = "bytes"
	scaleCount  = "connections"
)

// goalsOf returns the goals for one kind of database.
func goalsOf(kind string) map[string]goal {
	goals := map[string]goal{
		"pipeline":         {scale: scaleR, must: 0.40, aim: 0.55},
		"drain":            {scale: scaleR, must: 0.30, aim: 0.45},
		"ingest":           {scale: scaleF, must: 10, aim: 25},
		"latency":          {scale: scaleAck, must: 2, aim: 0.6, less: true},
		"hanging":          {scale: scaleTimes, must: 1.5, aim: 1.1, less: true},
		"neighbour":        {scale: scaleMs, must: 100, aim: 50, less: true},
		"neighbour-memory": {scale: scaleMB, must: 512, aim: 256, less: true},
		"subscribers":      {scale: scaleTimes, must: 0.8, aim: 0.95},
		"memory":           {scale: scaleMB, must: 300, aim: 150, less: true},
		"claim":            {scale: scaleMs, must: 10, aim: 2, less: true},
		"connections":      {scale: scaleCount, must: 6, aim: 4, less: true},
		"storage":          {scale: scaleBytes, must: 1536, aim: 819, less: true},
		"crash":            {scale: scaleSecond, must: 5, aim: 1, less: true},
	}
	if kind == sqliteKind {
		goals["pipeline"] = goal{scale: scaleR, must: 0.40, aim: 0.60}
		delete(goals, "drain") // a goal for several servers on one database
		delete(goals, "connections")
	}
	return goals
}

// verdict compares a score with the goal.
func (g goal) verdict(score float64) Verdict {
	better := func(limit float64) bool { return score >= limit }
	if g.less {
		better = func(limit float64) bool { return score <= limit }
	}
	switch {
	case better(g.aim):
		return Reached
	case better(g.must):
		return Passed
	}
	return Missed
}

// apply sets the goals and the verdict of f.
func (f *Figure) apply(goals map[string]goal) {
	g, ok := goals[f.Name]
	if !ok {
		return
	}
	must, aim := g.must, g.aim
	f.Scale, f.Must, f.Aim, f.Verdict = g.scale, &must, &aim, g.verdict(f.Score)
}

// score formats a number with its scale.
func score(n float64, scale string) string {
	switch scale {
	case "":
		return "-"
	case scaleAck:
		return fmt.Sprintf("ack %+.1f ms", n)
	case scaleCount:
		return fmt.Sprintf("%.0f", n)
	}
	return short(n) + " " + scale
}

// short formats a number with about three significant digits.
func short(n float64) string {
	switch {
	case n == math.Trunc(n), n >= 100 || n <= -100:
		return fmt.Sprintf("%.0f", n)
	case n >= 10 || n <= -10:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}
