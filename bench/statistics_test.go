package bench

import "testing"

func TestMedian(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   float64
	}{
		"none":                        {nil, 0},
		"one":                         {[]float64{7}, 7},
		"the middle of an odd number": {[]float64{9, 1, 5}, 5},
		"the mean of the middle two":  {[]float64{8, 1, 100, 2}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := median(tt.values); got != tt.want {
				t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
			}
		})
	}
}

func TestStatisticsDoNotSortTheirInput(t *testing.T) {
	values := []float64{3, 1, 2}
	_, _ = median(values), percentile(values, 50)
	if values[0] != 3 || values[1] != 1 || values[2] != 2 {
		t.Errorf("values = %v, want the original order", values)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100) // 100, 99, … 1
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for name, tt := range map[string]struct {
		values  []float64
		p, want float64
	}{
		"none":                           {nil, 50, 0},
		"one value is every percentile":  {[]float64{4}, 99, 4},
		"half are not above the 50th":    {hundred, 50, 50},
		"one in a hundred is above 99":   {hundred, 99, 99},
		"the 100th is the greatest":      {hundred, 100, 100},
		"the lowest is the least":        {hundred, 0, 1},
		"of two the 50th is the lower":   {[]float64{2, 1}, 50, 1},
		"of a few the 99th is the worst": {[]float64{5, 1, 3}, 99, 5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := percentile(tt.values, tt.p); got != tt.want {
				t.Errorf("percentile %v = %v, want %v", tt.p, got, tt.want)
			}
		})
	}
}

func TestRatioToZeroIsZero(t *testing.T) {
	if got := ratio(5, 0); got != 0 {
		t.Errorf("ratio(5, 0) = %v, want 0", got)
	}
	if got := ratio(5, 2); got != 2.5 {
		t.Errorf("ratio(5, 2) = %v, want 2.5", got)
	}
}
