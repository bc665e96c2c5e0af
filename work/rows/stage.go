package rows

import "time"

// A Stage is a part of what a model does with records.
type Stage int

// The stages, in their order.
const (
	Tokenize Stage = iota // one record, into tokens
	Wait                  // what is ready to run, for the model
	Run                   // one run of the model
	Assemble              // what came of one run, into rows
)

// String is the stage's word in metrics and traces.
func (s Stage) String() string { return [...]string{"tokenize", "wait", "run", "assemble"}[s] }

// Timed, where it is not nil, is told how long stages took. It is called from many goroutines, on the way of every
// record.
type Timed func(s Stage, took time.Duration)

// TimedRecords is how many records an engine of short texts tokenizes for one that it times: a clock costs about as
// much as a word does.
const TimedRecords = 16
