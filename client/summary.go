package client

import (
	"fmt"
	"slices"
	"strings"

	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// mostProblems is how many problems of records, and kinds of deaths of shards, a Summary names.
const mostProblems = 5

// Summary is what Submit has done. What follows Problems speaks of this submission's own shards, and is known when it
// has waited.
type Summary struct {
	Job     string `json:"job"`
	Task    string `json:"task"`
	Model   string `json:"model"`
	Dataset string `json:"dataset"`
	Records int    `json:"records"` // 0 of objects, whose records only daemons read
	Shards  int    `json:"shards"`
	Bytes   int64  `json:"bytes"` // of all messages
	// Referred are the bytes of objects that messages point to.
	Referred int64  `json:"referred_bytes,omitempty"`
	Part     string `json:"part,omitempty"` // whose records and shards these are, as 3/10
	// Invalid counts the records that are sent as errors, and Problems names the first.
	Invalid      int      `json:"invalid"`
	Problems     []string `json:"problems,omitempty"`
	FilesLeftOut int      `json:"files_left_out,omitempty"` // that hold no text, with WholeFiles

	Sync *SyncSummary `json:"sync,omitempty"` // of a sync; what follows speaks of the records that it published

	Rows      int64 `json:"rows"`          // in the table
	Committed int64 `json:"committed"`     // of them, since Submit began
	Already   int64 `json:"already_there"` // of them, before
	Errors    int64 `json:"errors"`        // of Rows
	Truncated int64 `json:"truncated"`     // of Rows, those whose text was cut
	Dropped   int64 `json:"n_dropped"`     // tokens that were cut off
	Uncounted int64 `json:"uncounted"`     // of Already, those of which errors and cuts are not known
	// LeftOut are rows that were made and not written, since the table holds their records: see SubmitOptions.OnRepeat.
	LeftOut int64 `json:"left_out,omitempty"`
	Missing int64 `json:"missing"` // records of committed shards that are no row: dead letters of their own

	// Shards that are not committed.
	Dead        int          `json:"dead"`
	DeadReasons []DeadReason `json:"dead_reasons,omitempty"`
	// Resolved shards were dead; somebody has dropped their letters, or published them as another job, as Resolutions
	// say.
	Resolved    int          `json:"resolved,omitempty"`
	Resolutions []DeadReason `json:"resolutions,omitempty"`
	Cancelled   int          `json:"cancelled"`
	Untold      int          `json:"untold"`  // an older daemon settled them, and does not say with which payload
	Pending     int          `json:"pending"` // no verdict came
	// Unfollowed: the user may not read events, so that nothing is known of what the table has.
	Unfollowed bool `json:"unfollowed,omitempty"`
}

// DeadReason is why shards are dead letters, or what was done with these.
type DeadReason struct {
	Class  string `json:"class"`
	Reason string `json:"reason"` // of the first
	Shards int    `json:"shards"`
}

func (s *Summary) count(one shard) {
	s.Shards++
	s.Records += one.records
	s.Bytes += int64(len(one.payload))
	s.Invalid += one.errors
	s.Referred += one.referred
}

func (s *Summary) problem(file string, e *jobs.RecordError) {
	if len(s.Problems) < mostProblems {
		s.Problems = append(s.Problems, file+": "+e.String())
	}
}

// died counts a dead shard among those of its class, a resolved one among those with which the same was done.
func (s *Summary) died(f queue.Fate) {
	list, same := &s.DeadReasons, func(r DeadReason) bool { return r.Class == f.Class }
	if f.Resolved {
		list, same = &s.Resolutions, func(r DeadReason) bool { return r.Class == f.Class && r.Reason == f.Reason }
	}
	if i := slices.IndexFunc(*list, same); i >= 0 {
		(*list)[i].Shards++
		return
	}
	*list = append(*list, DeadReason{f.Class, f.Reason, 1})
}

// writeReasons names kinds of dead or resolved shards.
func writeReasons(b *strings.Builder, all []DeadReason) {
	for i, r := range all {
		b.WriteString([]string{": ", ", "}[min(i, 1)])
		fmt.Fprintf(b, "%d %s (%s)", r.Shards, plain.Text(orUnknown(r.Class)), plain.Text(r.Reason))
	}
}

// line says in one line what came of it.
func (s *Summary) line(noWait bool, published int) string {
	var b strings.Builder
	if noWait {
		there := fmt.Sprintf("%d rows were there already", s.Already)
		if s.Unfollowed {
			there = "what was there already is not known"
		}
		what := fmt.Sprintf("%d records in %d shards, %s", s.Records, s.Shards, inBytes(s.Bytes))
		if s.Referred > 0 {
			what = fmt.Sprintf("%s of objects in %d shards", inBytes(s.Referred), s.Shards)
		}
		fmt.Fprintf(&b, "%s: %d shards are published, %s", what, published, there)
	} else {
		fmt.Fprintf(&b, "%d rows: %d committed now, %d already there, %d of them errors; %d texts cut, %d tokens dropped",
			s.Rows, s.Committed, s.Already, s.Errors, s.Truncated, s.Dropped)
	}
	if s.LeftOut > 0 {
		fmt.Fprintf(&b, "; %d rows left out, since the table holds their records", s.LeftOut)
	}
	if s.Uncounted > 0 {
		fmt.Fprintf(&b, " (of %d of the rows that is not known)", s.Uncounted)
	}
	if s.Missing > 0 {
		fmt.Fprintf(&b, "; %d records are dead letters", s.Missing)
	}
	if !noWait || s.Dead > 0 {
		fmt.Fprintf(&b, "; %d shards dead", s.Dead)
	}
	writeReasons(&b, s.DeadReasons)
	if s.Resolved > 0 {
		fmt.Fprintf(&b, "; %d dead shards resolved", s.Resolved)
		writeReasons(&b, s.Resolutions)
	}
	for _, left := range []struct {
		n    int
		what string
	}{{s.Cancelled, "cancelled"}, {s.Untold, "settled by an older daemon that does not say with which payload"},
		{s.Pending, "without a verdict"}} {
		if left.n > 0 && !(noWait && left.n == s.Pending) {
			fmt.Fprintf(&b, "; %d shards %s", left.n, left.what)
		}
	}
	if noWait {
		fmt.Fprintf(&b, "; see: textmill watch %s", s.Job)
	}
	return b.String()
}

// verdict is nil where every record is a row, and not too many of the rows are errors.
func (s *Summary) verdict(m maxErrors, noWait bool) error {
	switch {
	case s.Cancelled > 0:
		return fmt.Errorf("%w: %d shards of it; give another --job to submit them anew", ErrCancelled, s.Cancelled)
	case s.Dead > 0:
		return fmt.Errorf("%w: %d of %d; see textmill dead list --job %s, and dead retry", ErrDeadLetters, s.Dead, s.Shards,
			s.Job)
	case s.Resolved > 0:
		return fmt.Errorf("%w, and their letters are resolved: %d of %d; their records are no rows of job %s",
			ErrDeadLetters, s.Resolved, s.Shards, s.Job)
	case s.Missing > 0:
		return fmt.Errorf("%w: %d records; see textmill dead list --job %s", ErrDeadLetters, s.Missing, s.Job)
	case noWait:
		return m.check(int64(s.Records), int64(s.Invalid))
	case s.Untold > 0:
		return fmt.Errorf("%w: %d were settled by a daemon of an earlier version, which does not say what it committed; "+
			"compare the rows with textmill status %s and textmill table info, or update the daemon and run this again",
			ErrUnanswered, s.Untold, s.Job)
	case s.Pending > 0:
		return fmt.Errorf("%w: %d have left the queue, and no daemon told why; look for them with textmill dead list and textmill status %s, "+
			"and run this again to send them once more", ErrUnanswered, s.Pending, s.Job)
	}
	return m.check(s.Rows, s.Errors)
}

// write answers on Stdout: the job's name, or all as JSON.
func (s *Summary) write(o SubmitOptions) error {
	s.writeProblems(o)
	if o.JSON {
		return plain.JSON(o.Stdout, s)
	}
	_, err := fmt.Fprintln(o.Stdout, s.Job)
	return err
}

// writeProblems names the first error rows, and says where the others are told: some only daemons find.
func (s *Summary) writeProblems(o SubmitOptions) {
	for _, p := range s.Problems {
		fmt.Fprintf(o.Stderr, "error row: %s\n", plain.Text(p))
	}
	if more := max(int64(s.Invalid), s.Errors) - int64(len(s.Problems)); more > 0 {
		fmt.Fprintf(o.Stderr, "error rows: %d more; the column error of dataset %s says of each what it is\n", more, s.Dataset)
	}
}

func (s *Summary) writeDryRun(o SubmitOptions) error {
	if o.JSON {
		return plain.JSON(o.Stdout, s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "job      %s\ntask     %s\nmodel    %s\ndataset  %s\nrecords  %d\nshards   %d\nbytes    %d\ninvalid  %d\n",
		s.Job, s.Task, s.Model, s.Dataset, s.Records, s.Shards, s.Bytes, s.Invalid)
	if s.Referred > 0 {
		fmt.Fprintf(&b, "referred %s of objects, whose records daemons read\n", inBytes(s.Referred))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "         %s\n", plain.Text(p))
	}
	_, err := fmt.Fprint(o.Stdout, b.String())
	return err
}

func orUnknown(s string) string {
	if s == "" {
		return "of a class that is not told"
	}
	return s
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
