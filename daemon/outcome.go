package daemon

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/jobs"
)

// finding is what was found out about a delivery when nothing more is done about its rows.
type finding struct {
	attempt int // how often the delivery came

	failed      error // why it has no rows in a commit
	uncommitted error // why the commit that was to hold its rows failed

	logged  export.Outcome // what the table's log says of it
	version int64          // of the table that says so
	earlier bool           // the log said so before the delivery ran
}

// outcome is what becomes of a delivery.
type outcome struct {
	kind    kind
	version int64 // of the table that holds its rows

	class, reason string // of the dead letter
	judge         bool   // the verdict is to be in the table's log first: nothing there keeps its rows out yet

	after time.Duration // until a delivery that is handed back comes again
	cause error         // why it is handed back
}

type kind int

const (
	handedBack kind = iota // to the queue, which delivers it again
	committed              // its rows are in the table
	skipped                // they were before it came
	dead                   // it becomes a dead letter
	cancelled              // its job was cancelled
)

// String is the kind's word in logs and metrics.
func (k kind) String() string {
	return [...]string{"handed_back", "committed", "skipped", "dead", "cancelled"}[k]
}

// handBackDelay keeps a delivery that failed for a passing reason from coming straight back.
const handBackDelay = 5 * time.Second

// mostRefusedDelay bounds how long work for a refused table stays away once the table is mended.
const mostRefusedDelay = time.Minute

// refusedDelay grows with how often a delivery came, since only somebody outside can mend the table.
func refusedDelay(delivered int) time.Duration {
	return min(handBackDelay<<min(max(delivered-1, 0), 8), mostRefusedDelay)
}

// classJudged is of deliveries whose death the table's log tells, and not its reason.
const classJudged = "judged"

// errUnlogged is said of a delivery whose rows were to be committed, and neither failed nor are in the log.
var errUnlogged = errors.New("the table's log does not name the delivery")

// decide makes the one outcome of a finding: that of the first row of outcomes that holds.
func decide(f finding) outcome {
	for _, row := range outcomes {
		if row.holds(f) {
			return row.becomes(f)
		}
	}
	panic(fmt.Sprintf("no outcome for %+v", f)) // the last row always holds
}

// outcomes is everything that may be found and what comes of it.
var outcomes = []struct {
	found   string
	holds   func(finding) bool
	becomes func(finding) outcome
}{
	// What the table's log says is final, whoever wrote it.
	{"its rows were committed before it came",
		func(f finding) bool { return f.says(export.Committed) && f.earlier },
		func(f finding) outcome { return outcome{kind: skipped, version: f.version} }},
	{"its rows are committed",
		func(f finding) bool { return f.says(export.Committed) },
		func(f finding) outcome { return outcome{kind: committed, version: f.version} }},
	{"another payload is committed under its name",
		func(f finding) bool { return f.says(export.Conflict) },
		func(finding) outcome {
			return outcome{kind: dead, class: jobs.IdentityConflict,
				reason: "this job and shard are in the table already, from a message with another payload; " +
					"publish it under another job or shard name"}
		}},
	{"it was judged dead earlier",
		func(f finding) bool { return f.says(export.Dead) },
		func(finding) outcome {
			return outcome{kind: dead, class: classJudged, reason: "judged dead earlier; see the table's log"}
		}},
	{"its job was cancelled in the table's log",
		func(f finding) bool { return f.says(export.Cancelled) },
		func(f finding) outcome { return outcome{kind: cancelled, version: f.version} }},

	// A table that is not ours to write to is no fault of the delivery: it waits in the queue for as long as it takes.
	{"its table refuses this version",
		func(f finding) bool { return errors.Is(f.why(), export.ErrRefused) },
		func(f finding) outcome { return outcome{after: refusedDelay(f.attempt), cause: f.why()} }},
	{"the commit failed, whatever the reason: looked up again, it may turn out to be in the table",
		func(f finding) bool { return f.uncommitted != nil },
		func(f finding) outcome { return outcome{after: handBackDelay, cause: f.uncommitted} }},

	// Why it has no rows.
	{"its payload may come yet, or the answer was old",
		func(f finding) bool { return isInvalid(f.failed, jobs.ClaimMissing) && f.attempt < claimLooks },
		func(f finding) outcome { return outcome{after: handBackDelay, cause: f.failed} }},
	{"its payload was lost on its way, which is no verdict on the shard: it may be published again",
		func(f finding) bool { return isInvalid(f.failed, jobs.ClaimMissing, jobs.ClaimDamaged) },
		func(f finding) outcome {
			var i *jobs.Invalid
			errors.As(f.failed, &i)
			return outcome{kind: dead, class: i.Class, reason: i.Reason}
		}},
	{"it cannot be understood, or its input cannot be read as it says",
		func(f finding) bool { var i *jobs.Invalid; return errors.As(f.failed, &i) },
		func(f finding) outcome {
			var i *jobs.Invalid
			errors.As(f.failed, &i)
			return outcome{kind: dead, class: i.Class, reason: i.Reason, judge: true}
		}},
	{"the table holds other vectors than its own",
		func(f finding) bool { return errors.Is(f.failed, export.ErrSchema) },
		func(f finding) outcome { return outcome{kind: dead, class: jobs.Schema, reason: f.failed.Error()} }},
	{"a row of it is one that readers could not read, and will be the next time",
		func(f finding) bool { return errors.Is(f.failed, export.ErrRow) },
		func(f finding) outcome {
			return outcome{kind: dead, class: jobs.Unwritable, reason: f.failed.Error(), judge: true}
		}},
	{"its job was cancelled while it was here",
		func(f finding) bool { return errors.Is(f.failed, inflight.ErrCancelled) },
		func(finding) outcome { return outcome{kind: cancelled} }},
	{"the daemon stops",
		func(f finding) bool { return errors.Is(f.failed, inflight.ErrDraining) },
		func(f finding) outcome { return outcome{cause: f.failed} }},
	{"another daemon runs it alone: not for long, and handed back never for as long as another daemon does",
		func(f finding) bool { return errors.Is(f.failed, export.ErrQuarantined) },
		func(f finding) outcome {
			return outcome{after: handBackDelay/20 + rand.N(handBackDelay/5), cause: f.failed}
		}},
	{"anything else, which may go better another time",
		func(f finding) bool { return f.failed != nil },
		func(f finding) outcome { return outcome{after: handBackDelay, cause: f.failed} }},
	{"nothing: its table was asked and does not know it",
		func(finding) bool { return true },
		func(finding) outcome { return outcome{after: handBackDelay, cause: errUnlogged} }},
}

// claimLooks is how often a claim is looked for.
const claimLooks = 3

func isInvalid(err error, classes ...string) bool {
	var i *jobs.Invalid
	return errors.As(err, &i) && slices.Contains(classes, i.Class)
}

// says is whether the table's log settles the delivery so.
func (f finding) says(o export.Outcome) bool {
	return f.failed == nil && f.uncommitted == nil && f.logged == o
}

// why is what kept the delivery's rows out of the table.
func (f finding) why() error { return errors.Join(f.failed, f.uncommitted) }
