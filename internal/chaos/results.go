package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Results are counts that runs add up.
type Results struct {
	Runs     []Run             `json:"runs"`
	Faults   map[string]*Fault `json:"faults"`
	Records  int               `json:"records"` // published
	Rows     int               `json:"rows"`    // of them in tables
	Errors   int               `json:"errors"`  // rows with an error, as expected
	Dead     int               `json:"dead"`    // in dead letters, as expected
	Lost     int               `json:"lost"`
	Doubled  int               `json:"doubled"`
	Wrong    int               `json:"wrong"` // another text, vector or error than the right one
	Cells    int               `json:"cells"`
	Problems []string          `json:"problems,omitempty"`
}

// Run is one call of the campaign.
type Run struct {
	Command string        `json:"command"`
	Seed    uint64        `json:"seed"`
	Took    time.Duration `json:"took"`
}

// Fault is what happened of one kind.
type Fault struct {
	Count    int   `json:"count"`
	Timed    int   `json:"timed"`       // those after which the time to the next settled delivery was taken
	SlowestM int64 `json:"slowest_ms"`  // of these times
	TotalM   int64 `json:"recovery_ms"` // of all these times
}

func (r *Results) count(kind string) *Fault {
	if r.Faults == nil {
		r.Faults = map[string]*Fault{}
	}
	f := r.Faults[kind]
	if f == nil {
		f = &Fault{}
		r.Faults[kind] = f
	}
	return f
}

// Add takes in another result.
func (r *Results) Add(o *Results) {
	r.Runs = append(r.Runs, o.Runs...)
	for kind, f := range o.Faults {
		sum := r.count(kind)
		sum.Count += f.Count
		sum.Timed += f.Timed
		sum.TotalM += f.TotalM
		sum.SlowestM = max(sum.SlowestM, f.SlowestM)
	}
	r.Records, r.Rows, r.Errors, r.Dead, r.Cells = r.Records+o.Records, r.Rows+o.Rows, r.Errors+o.Errors, r.Dead+o.Dead,
		r.Cells+o.Cells
	r.Lost, r.Doubled, r.Wrong = r.Lost+o.Lost, r.Doubled+o.Doubled, r.Wrong+o.Wrong
	r.Problems = append(r.Problems, o.Problems...)
}

// Injected is the number of all faults.
func (r *Results) Injected() (n int) {
	for _, f := range r.Faults {
		n += f.Count
	}
	return n
}

// Sound reports whether every promise held.
func (r *Results) Sound() bool { return r.Lost+r.Doubled+r.Wrong+len(r.Problems) == 0 }

// Print writes the table of the README.
func (r *Results) Print(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| fault | injected | slowest recovery |\n|---|---:|---:|\n")
	for _, row := range r.grouped() {
		slowest := "–"
		if row.Timed > 0 {
			slowest = fmt.Sprintf("%.1f s", float64(row.SlowestM)/1000)
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", row.name, row.Count, slowest)
	}
	fmt.Fprintf(&b, "| **all** | **%d** | |\n\n", r.Injected())
	fmt.Fprintf(&b, "%d records in %d cells: %d rows (%d of them error rows, as they should be), %d in dead letters, as they should be; **%d lost, %d doubled, %d wrong**, %d other problems.\n",
		r.Records, r.Cells, r.Rows, r.Errors, r.Dead, r.Lost, r.Doubled, r.Wrong, len(r.Problems))
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "* %s\n", p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// group is a row of the table: one kind of fault, or all kinds of which there is one for each place.
type group struct {
	Fault
	name string
}

func (r *Results) grouped() []group {
	var all []group
	for _, kind := range slices.Sorted(maps.Keys(r.Faults)) {
		f := r.Faults[kind]
		kind, place, placed := strings.Cut(kind, ": ")
		placed = placed && (kind == "crash point" || kind == "file operation fails")
		switch last := len(all) - 1; {
		case !placed && f.Count > 0:
			all = append(all, group{*f, strings.Join([]string{kind, place}, ": ")})
			all[last+1].name = strings.TrimSuffix(all[last+1].name, ": ")
		case !placed:
		case last < 0 || !strings.HasPrefix(all[last].name, kind+": "):
			all = append(all, group{Fault{}, kind + ": "})
			fallthrough
		default:
			g := &all[len(all)-1]
			if f.Count > 0 {
				if !strings.HasSuffix(g.name, ": ") {
					g.name += ", "
				}
				g.name += fmt.Sprintf("%s %d", place, f.Count)
			}
			g.Count, g.Timed, g.SlowestM = g.Count+f.Count, g.Timed+f.Timed, max(g.SlowestM, f.SlowestM)
		}
	}
	return all
}

// Load reads a file of results; one that does not exist is empty.
func Load(path string) (*Results, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &Results{}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Results{}
	return r, json.Unmarshal(data, r)
}

// Save writes a file of results.
func (r *Results) Save(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
