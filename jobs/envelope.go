package jobs

import (
	"math"
	"strconv"
)

// Envelope is what surrounds the records of a job message; the same fields and
// records give the same bytes.
type Envelope struct {
	Job     string
	Shard   string // a number is written as one
	Shards  int    // 0 = not known yet
	Dataset string
	Sync    string // "" = none: the rows go into the dataset at once
	// OnRepeat says what becomes of records that the dataset holds already; "" = as the daemon's configuration says.
	OnRepeat string
	Params   []byte // JSON object, nil = none
	Input    *Input // instead of records
}

// Encode makes the message of records, or of the Input.
func (e *Envelope) Encode(records ...Record) []byte {
	dst := e.Open(nil)
	for i := range records {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = records[i].AppendJSON(dst)
	}
	return e.Close(dst)
}

// Open appends the message up to its records: records as JSON objects, separated
// by commas, follow, then Close. With an Input, Open and Close make the message.
func (e *Envelope) Open(dst []byte) []byte {
	dst = e.appendJob(dst)
	dst = append(dst, `,"shard":`...)
	if _, err := integer([]byte(e.Shard), "shard", 0, math.MaxInt64); err == nil {
		dst = append(dst, e.Shard...)
	} else {
		dst = appendQuoted(dst, e.Shard)
	}
	if e.Shards > 0 {
		dst = strconv.AppendInt(append(dst, `,"shards":`...), int64(e.Shards), 10)
	}
	dst = appendQuoted(append(dst, `,"dataset":`...), e.Dataset)
	if e.Sync != "" {
		dst = appendQuoted(append(dst, `,"sync":`...), e.Sync)
	}
	if e.OnRepeat != "" {
		dst = appendQuoted(append(dst, `,"on_repeat":`...), e.OnRepeat)
	}
	if e.Params != nil {
		dst = append(append(dst, `,"params":`...), e.Params...)
	}
	if e.Input != nil {
		return e.Input.AppendJSON(append(dst, `,"input":`...))
	}
	return append(dst, `,"records":[`...)
}

// Close appends what ends a message that Open began.
func (e *Envelope) Close(dst []byte) []byte {
	if e.Input != nil {
		return append(dst, '}')
	}
	return append(dst, "]}"...)
}

// AfterJob is all of a message of this envelope but the job's name, in which messages of two jobs are the same.
func (e *Envelope) AfterJob(message []byte) []byte { return message[len(e.appendJob(nil)):] }

func (e *Envelope) appendJob(dst []byte) []byte {
	return appendQuoted(append(dst, `{"job":`...), e.Job)
}
