package chart

import (
	"math"
	"strings"
	"testing"
)

func TestFigures(t *testing.T) {
	nan := math.NaN()
	for name, tc := range map[string]struct{ got, want string }{
		"no values":        {string(Line("", nil)), `<path class="area" d=""/><path class="line" d=""/></svg>`},
		"one":              {string(Line("", []float64{5})), `d="M0.0 2.0"`},
		"a rise":           {string(Line("", []float64{0, 2, 4})), `<path class="line" d="M0.0 47.0L120.0 24.5L240.0 2.0"/>`},
		"below it":         {string(Line("", []float64{0, 2, 4})), `<path class="area" d="M0.0 48L0.0 47.0L120.0 24.5L240.0 2.0L240.0 48Z"/>`},
		"a gap":            {string(Line("", []float64{4, 4, nan, math.Inf(1), 4})), `<path class="line" d="M0.0 2.0L60.0 2.0M240.0 2.0"/>`},
		"nothing but gaps": {string(Line("", []float64{nan, nan})), `<path class="line" d=""/>`},
		"a name":           {string(Line(`"><script>`, nil)), `aria-label="&#34;&gt;&lt;script&gt;"`},
		"a share":          {string(Bar("", 0.25)), `<rect class="fill" x="0.00" width="25.00" height="4"/>`},
		"more than all":    {string(Bar("", 1.5, 0.5)), `<rect class="less" x="100.00" width="0.00" height="4"/>`},
		"two shares":       {string(Bar("", 0.5, 0.25)), `<rect class="less" x="50.00" width="25.00" height="4"/>`},
		"an unknown share": {string(Bar("", nan)), `<rect class="track" width="100" height="4"/></svg>`},
	} {
		if !strings.Contains(tc.got, tc.want) {
			t.Errorf("%s: no %s in %s", name, tc.want, tc.got)
		}
		if strings.Contains(tc.got, "NaN") || strings.Contains(tc.got, "Inf") {
			t.Errorf("%s: %s", name, tc.got)
		}
	}
}
