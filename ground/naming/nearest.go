package naming

import "math"

// Meant is the one of names that takes few enough edits from s to be a slip of it, "" where none does.
func Meant(s string, names []string) string {
	near, edits := Nearest(s, names)
	if len(s) > mostName || edits >= len(s)/3+2 {
		return ""
	}
	return near
}

// Nearest is the one of names that takes the fewest edits from s, and how many: insertions, deletions and replacements
// of bytes. Of equal ones it is the first.
func Nearest(s string, names []string) (nearest string, edits int) {
	edits = math.MaxInt
	if len(s) > mostName {
		s = s[:mostName]
	}
	for _, name := range names {
		if d := distance(s, name); d < edits {
			nearest, edits = name, d
		}
	}
	return nearest, edits
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
