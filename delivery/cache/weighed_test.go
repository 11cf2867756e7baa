package cache

import (
	"testing"

	"pgregory.net/rapid"
)

func TestACacheForgetsByWeight(t *testing.T) {
	c := newWeighed[string](10, func(s string) int { return len(s) })
	has := func(want map[string]bool) {
		t.Helper()
		for key, want := range want {
			if _, got := c.entries.Peek(key); got != want {
				t.Errorf("%s is kept: %t, want %t", key, got, want)
			}
		}
	}
	c.Add("a", "aaaa")
	c.Add("b", "bbbb")
	c.Get("a")
	c.Add("c", "cccc")
	has(map[string]bool{"a": true, "b": false, "c": true})
	c.Add("d", "a heavy one is kept alone")
	has(map[string]bool{"a": false, "c": false, "d": true})
	c.Remove("d")
	c.Add("e", "")
	if c.all != 1 {
		t.Errorf("the cache weighs %d, want 1: nothing weighs nothing", c.all)
	}
}

// The weight is that of the entries, and over the limit for one entry only.
func TestWeightModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newWeighed[int](50, func(n int) int { return n })
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				key, weight := rapid.IntRange(1, 9).Draw(rt, "key"), rapid.IntRange(1, 60).Draw(rt, "weight")
				c.Add(key, weight)
				if got, ok := c.Get(key); !ok || got != weight {
					rt.Fatalf("key %d has %d, %t", key, got, ok)
				}
			},
			"remove": func(rt *rapid.T) { c.Remove(rapid.IntRange(1, 9).Draw(rt, "key")) },
			"": func(rt *rapid.T) {
				sum := 0
				for _, e := range c.entries.Values() {
					sum += e.weight
				}
				if sum != c.all || sum > c.limit && c.entries.Len() > 1 {
					rt.Fatalf("%d entries weigh %d, counted are %d", c.entries.Len(), sum, c.all)
				}
			},
		})
	})
}
