package client

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"textmill/daemon/plain"
	"textmill/jobs"
)

// mostProblems is how many problems of records a Summary names.
const mostProblems = 5

// Summary is what Submit has done. Rows, Errors and Dead are known when it has waited.
type Summary struct {
	Job     string `json:"job"`
	Task    string `json:"task"`
	Model   string `json:"model"`
	Dataset string `json:"dataset"`
	Records int    `json:"records"`
	Shards  int    `json:"shards"`
	Bytes   int64  `json:"bytes"` // of all messages
	// Invalid counts the records that are sent as errors, and Problems names the first.
	Invalid  int      `json:"invalid"`
	Problems []string `json:"problems,omitempty"`
	Rows     int64    `json:"rows"`
	Errors   int64    `json:"errors"`
	Dead     int      `json:"dead"`
}

func (s *Summary) count(one shard) {
	s.Shards++
	s.Records += one.records
	s.Bytes += int64(len(one.payload))
	s.Invalid += one.errors
}

func (s *Summary) problem(file string, e *jobs.RecordError) {
	if len(s.Problems) < mostProblems {
		s.Problems = append(s.Problems, file+": "+e.String())
	}
}

func (s *Summary) published() string {
	return fmt.Sprintf("published %d records in %d shards, %s", s.Records, s.Shards, inBytes(s.Bytes))
}

// write answers on Stdout: the job's name, or all as JSON.
func (s *Summary) write(o SubmitOptions) error {
	for _, p := range s.Problems {
		fmt.Fprintf(o.Stderr, "error row: %s\n", plain.Text(p))
	}
	if more := s.Invalid - len(s.Problems); more > 0 && len(s.Problems) > 0 {
		fmt.Fprintf(o.Stderr, "error rows: %d more\n", more)
	}
	if o.JSON {
		return writeJSON(o.Stdout, s)
	}
	_, err := fmt.Fprintln(o.Stdout, s.Job)
	return err
}

func (s *Summary) writeDryRun(o SubmitOptions) error {
	if o.JSON {
		return writeJSON(o.Stdout, s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "job      %s\ntask     %s\nmodel    %s\ndataset  %s\nrecords  %d\nshards   %d\nbytes    %d\ninvalid  %d\n",
		s.Job, s.Task, s.Model, s.Dataset, s.Records, s.Shards, s.Bytes, s.Invalid)
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "         %s\n", plain.Text(p))
	}
	_, err := fmt.Fprint(o.Stdout, b.String())
	return err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func inBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
