package chart

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

const valueHeight = 28.0

// Values draws the values of a vector as bars from a line in the middle, the highest as high as there is room; those
// below zero are of another class.
func Values[F ~float32 | ~float64](label string, values []F) template.HTML {
	top := 0.0
	for _, v := range values {
		if finite(float64(v)) {
			top = max(top, math.Abs(float64(v)))
		}
	}
	if top == 0 {
		top = 1
	}
	const middle = valueHeight / 2
	var above, below strings.Builder
	for i, v := range values {
		if !finite(float64(v)) {
			continue
		}
		h := float64(v) / top * (middle - 0.5)
		to := &above
		if h < 0 {
			to = &below
		}
		fmt.Fprintf(to, "M%d %gh3v%.2fh-3z", 4*i, middle, -h)
	}
	width := float64(4*max(len(values), 1) - 1)
	bars := `<path class="above" d="` + above.String() + `"/><path class="below" d="` + below.String() + `"/></svg>`
	return template.HTML(open(width, valueHeight, label) + //nolint:gosec // the label is escaped, the rest are numbers
		fmt.Sprintf(`<path class="zero" d="M0 %gH%g"/>`, middle, width) + bars)
}

const (
	cell      = 24
	letter    = 6.6 // of labels in the figure's font
	mostLabel = 12
)

// Heat draws numbers from -1 to 1 as cells between labels of rows and columns. Cells are the children of .cells, row
// by row.
func Heat[F ~float32 | ~float64](label string, rows, columns []string, values [][]F) template.HTML {
	left, top := 8+letter*float64(widest(rows)), 8+letter*float64(widest(columns))
	w, h := left+float64(cell*len(columns)), top+float64(cell*len(rows))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="heat" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" focusable="false" `+
		`role="img" aria-label="%s">`, w, h, w, h, template.HTMLEscapeString(label))
	for i, name := range rows {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`, left-5, top+cell*float64(i)+cell/2+4, shortened(name))
	}
	for i, name := range columns {
		x, y := left+cell*float64(i)+cell/2+4, top-5
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" transform="rotate(-90 %.1f %.1f)">%s</text>`, x, y, x, y, shortened(name))
	}
	b.WriteString(`<g class="cells">`)
	for i, row := range values {
		for j, v := range row {
			class := "above"
			if v < 0 {
				class = "below"
			}
			fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%d" height="%d" fill-opacity="%.3f"/>`, class,
				left+cell*float64(j), top+cell*float64(i), cell-1, cell-1, min(math.Abs(float64(v)), 1))
		}
	}
	b.WriteString("</g></svg>")
	return template.HTML(b.String()) //nolint:gosec // labels are escaped, the rest are numbers
}

func widest(labels []string) int {
	most := 1
	for _, l := range labels {
		most = max(most, min(len([]rune(l)), mostLabel))
	}
	return most
}

func shortened(s string) string {
	if r := []rune(s); len(r) > mostLabel {
		s = string(r[:mostLabel-1]) + "…"
	}
	return template.HTMLEscapeString(s)
}

// Shares draws two shares of a whole, one below the other: before something and after it.
func Shares(before, after float64) template.HTML {
	bar := func(class string, y, share float64) string {
		if !finite(share) {
			share = 0
		}
		return fmt.Sprintf(`<rect class="%s" y="%g" width="%.3f" height="4"/>`, class, y, 100*min(max(share, 0), 1))
	}
	//nolint:gosec // of numbers alone
	return template.HTML(open(100, 9, "") + bar("less", 0, before) + bar("fill", 5, after) + "</svg>")
}
