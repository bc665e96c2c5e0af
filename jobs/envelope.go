package jobs

import "strconv"

// Envelope is what surrounds the records of a job message; the same fields and
// records give the same bytes.
type Envelope struct {
	Job     string
	Shard   int
	Shards  int // 0 = not known yet
	Dataset string
	Params  []byte // JSON object, nil = none
	Input   *Input // instead of records
}

// Open appends the message up to its records: records as JSON objects, separated
// by commas, follow, then Close. With an Input, Open and Close make the message.
func (e *Envelope) Open(dst []byte) []byte {
	dst = appendQuoted(append(dst, `{"job":`...), e.Job)
	dst = strconv.AppendInt(append(dst, `,"shard":`...), int64(e.Shard), 10)
	if e.Shards > 0 {
		dst = strconv.AppendInt(append(dst, `,"shards":`...), int64(e.Shards), 10)
	}
	dst = appendQuoted(append(dst, `,"dataset":`...), e.Dataset)
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
