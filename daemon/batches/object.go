package batches

import (
	"slices"
	"time"

	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

// Purposes of files.
const (
	PurposeBatch  = "batch"
	PurposeOutput = "batch_output"
)

// File is one of /v1/files.
type File struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Purpose string        `json:"purpose"`
	Created int64         `json:"created"`           // ns
	Expires int64         `json:"expires,omitempty"` // s; 0 is never
	Content queue.Content `json:"content"`
	Deleted bool          `json:"deleted,omitempty"` // the record stays for a while, so that nobody brings it back
}

// A Status is how far a batch is, in OpenAI's words.
type Status string

// They follow one another: validating, in_progress, finalizing and then one of the ends.
const (
	Validating Status = "validating"
	InProgress Status = "in_progress"
	Finalizing Status = "finalizing"
	Cancelling Status = "cancelling" // in place of finalizing
	Completed  Status = "completed"
	Failed     Status = "failed"
	Expired    Status = "expired"
	Cancelled  Status = "cancelled"
)

// Over says that nothing will become of the batch any more.
func (s Status) Over() bool {
	return slices.Contains([]Status{Completed, Failed, Expired, Cancelled}, s)
}

// Problem is why a batch was not carried out.
type Problem struct {
	Code    string `json:"code"`
	Line    int64  `json:"line,omitempty"`
	Message string `json:"message"`
	Param   string `json:"param,omitempty"`
}

// Counts are of requests.
type Counts struct {
	Total     int64 `json:"total"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
}

// Batch is all that is known of one of /v1/batches.
type Batch struct {
	ID            string            `json:"id"`
	Endpoint      string            `json:"endpoint"`
	InputFile     string            `json:"input_file"`
	Input         queue.Content     `json:"input"`
	Window        string            `json:"window"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	OutputExpires int64             `json:"output_expires,omitempty"` // s after its making
	Trace         telemetry.Trace   `json:"trace,omitempty"`          // that its creator named

	Status  Status           `json:"status"`
	Created int64            `json:"created"` // ns
	Expires int64            `json:"expires"` // s
	Since   map[Status]int64 `json:"since,omitempty"`

	Model      string    `json:"model,omitempty"`
	Task       string    `json:"task,omitempty"`
	Dataset    string    `json:"dataset,omitempty"`
	Dimensions int       `json:"dimensions,omitempty"`
	Records    int64     `json:"records,omitempty"`
	Counts     Counts    `json:"counts"`
	Problems   []Problem `json:"problems,omitempty"`

	Published bool   `json:"published,omitempty"` // all of its job
	Shards    int    `json:"shards,omitempty"`
	End       Status `json:"end,omitempty"`     // what it comes to
	Settled   bool   `json:"settled,omitempty"` // the rows of its job are all that there will be
	Collected bool   `json:"collected,omitempty"`
	Output    *File  `json:"output,omitempty"` // of answers
	Errors    *File  `json:"errors,omitempty"` // of requests that failed, or were not carried out

	Driver string `json:"driver,omitempty"` // the process that works on it, or did last
	Beat   uint64 `json:"beat,omitempty"`   // counts its changes
}

// enter has a batch be in a status from now on.
func (b *Batch) enter(s Status) {
	b.Status = s
	since := map[Status]int64{s: time.Now().Unix()}
	for status, at := range b.Since {
		since[status] = at
	}
	b.Since = since
}

// expired says that the time for its requests is over.
func (b *Batch) expired() bool { return time.Now().Unix() >= b.Expires }
