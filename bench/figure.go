package bench

import (
	"fmt"
	"math"
)

// A Verdict is how a figure compares with its goals.
type Verdict string

// The verdicts.
const (
	Reached Verdict = "aim"  // what is aimed at
	Passed  Verdict = "pass" // what must be
	Missed  Verdict = "MISS"
	NoGoal  Verdict = "" // nothing to compare with
)

// A Figure is one result.
type Figure struct {
	Name  string  `json:"name"`
	Title string  `json:"title"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Score is what the goals are about, on Scale: a ratio to R or F, or Value
	// itself.
	Score   float64  `json:"score"`
	Scale   string   `json:"scale"`
	Must    *float64 `json:"must"`
	Aim     *float64 `json:"aim"`
	Verdict Verdict  `json:"verdict"`
	// Rounds are the values of the single rounds, where there were some.
	Rounds []float64 `json:"rounds,omitempty"`
	// CPU is how many CPU seconds the server, or the engine, and the database
	// took for 1,000 deliveries or events; null where that can't be known.
	CPU *float64 `json:"cpuSecondsPerThousand"`
	// Others is the share of the machine's CPU that other programs took
	// meanwhile; null where that can't be known.
	Others *float64 `json:"cpuShareOfOthers"`
	Note   string   `json:"note,omitempty"`
}

// A goal is what a figure must and should reach.
type goal struct {
	scale     string
	must, aim float64
	less      bool // whether less is better
}

// The scales that goals are given on.
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
		"pipeline":    {scale: scaleR, must: 0.40, aim: 0.55},
		"drain":       {scale: scaleR, must: 0.30, aim: 0.45},
		"ingest":      {scale: scaleF, must: 10, aim: 25},
		"latency":     {scale: scaleAck, must: 2, aim: 0.6, less: true},
		"hanging":     {scale: scaleTimes, must: 1.5, aim: 1.1, less: true},
		"subscribers": {scale: scaleTimes, must: 0.8, aim: 0.95},
		"memory":      {scale: scaleMB, must: 300, aim: 150, less: true},
		"claim":       {scale: scaleMs, must: 10, aim: 2, less: true},
		"connections": {scale: scaleCount, must: 6, aim: 4, less: true},
		"storage":     {scale: scaleBytes, must: 1536, aim: 819, less: true},
		"crash":       {scale: scaleSecond, must: 5, aim: 1, less: true},
	}
	if kind == sqliteKind {
		goals["pipeline"] = goal{scale: scaleR, must: 0.40, aim: 0.60}
		delete(goals, "drain") // a goal for what many servers share
		delete(goals, "connections")
	}
	return goals
}

// judge compares a score with the goal.
func (g goal) judge(score float64) Verdict {
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

// apply gives f its goals and its verdict.
func (f *Figure) apply(goals map[string]goal) {
	g, ok := goals[f.Name]
	if !ok {
		return
	}
	must, aim := g.must, g.aim
	f.Scale, f.Must, f.Aim, f.Verdict = g.scale, &must, &aim, g.judge(f.Score)
}

// score writes a number on a scale.
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

// short writes a number with about three digits.
func short(n float64) string {
	switch {
	case n == math.Trunc(n), n >= 100 || n <= -100:
		return fmt.Sprintf("%.0f", n)
	case n >= 10 || n <= -10:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}
