// Package chart draws figures as SVG, so that pages need no program to show them.
//
// Colours and strokes are the style sheet's: it knows svg.chart with .line, .area, .track, .fill and .less.
package chart

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

const (
	width, height = 240.0, 48.0
	barWidth      = 100.0
	barHeight     = 4.0
)

// open begins a figure of a size that takes whatever room it has; label is read to who does not see it, "" where the
// figure says what stands beside it.
func open(w, h float64, label string) string {
	says := `aria-hidden="true"`
	if label != "" {
		says = `role="img" aria-label="` + template.HTMLEscapeString(label) + `"`
	}
	return fmt.Sprintf(`<svg class="chart" viewBox="0 0 %g %g" preserveAspectRatio="none" focusable="false" %s>`, w, h, says)
}

// Line draws values over time, from 0 to the highest of them; one that is not finite is a gap.
func Line(label string, values []float64) template.HTML {
	top := 0.0
	for _, v := range values {
		if finite(v) {
			top = max(top, v)
		}
	}
	if top == 0 {
		top = 1
	}
	step := width / float64(max(len(values)-1, 1))
	var line, area, points strings.Builder
	begin, last := 0.0, 0.0
	end := func() {
		if points.Len() > 0 {
			fmt.Fprintf(&line, "M%s", points.String())
			fmt.Fprintf(&area, "M%.1f %gL%sL%.1f %gZ", begin, height, points.String(), last, height)
			points.Reset()
		}
	}
	for i, v := range values {
		if !finite(v) {
			end()
			continue
		}
		last = float64(i) * step
		if points.Len() == 0 {
			begin = last
		} else {
			points.WriteByte('L')
		}
		fmt.Fprintf(&points, "%.1f %.1f", last, height-1-(height-3)*max(v, 0)/top)
	}
	end()
	//nolint:gosec // of numbers alone, and the label is escaped
	return template.HTML(open(width, height, label) + `<path class="area" d="` + area.String() + `"/><path class="line" d="` +
		line.String() + `"/></svg>`)
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// Bar draws shares of a whole, one behind the other; the first is the one that matters.
func Bar(label string, shares ...float64) template.HTML {
	var b strings.Builder
	b.WriteString(open(barWidth, barHeight, label))
	fmt.Fprintf(&b, `<rect class="track" width="%g" height="%g"/>`, barWidth, barHeight)
	x := 0.0
	for i, share := range shares {
		if math.IsNaN(share) {
			continue
		}
		class, w := "fill", barWidth*min(max(share, 0), 1)
		if i > 0 {
			class = "less"
		}
		w = min(w, barWidth-x)
		fmt.Fprintf(&b, `<rect class="%s" x="%.2f" width="%.2f" height="%g"/>`, class, x, w, barHeight)
		x += w
	}
	b.WriteString("</svg>")
	//nolint:gosec // of numbers alone, and of names of ours
	return template.HTML(b.String())
}
