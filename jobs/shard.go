package jobs

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"textmill/ground/naming"
)

// Names that are used when a message gives none.
const (
	DefaultDataset = "default"
	DefaultJob     = "default" // JSON messages
	DefaultTextJob = "text"    // text/plain messages
)

// Message is a job message as the queue delivered it.
type Message struct {
	Subject  string
	Header   Header
	Data     []byte
	Sequence uint64
}

// Shard is a decoded message: the part of a job that is delivered, worked on and
// committed as one.
type Shard struct {
	Job     string
	ID      string // the message's own shard, else its (first) stream sequence
	Shards  int    // how many the job has; 0 when the message does not say
	Dataset string
	Task    string
	Model   string
	// OnRepeat says what becomes of records that the dataset holds already: append, replace or skip; "" where the message
	// does not say.
	OnRepeat string

	// KeyID is the shard part of the delivery's identity: ID, or ID/r<n> on retry
	// n of a dead letter. It is "" when the message does not name both its job and
	// its shard; then the identity is its place in the stream.
	KeyID string
	Retry int // 0, or which retry of a dead letter this is

	Records []Record // nil when Input or Claim is set
	Input   *Input
	Claim   *Claim // where the payload lies; the shard knows only what the message says of it

	Embed     EmbedParams    // when Task is embed
	Generate  GenerateParams // when Task is generate
	ParamsErr *RecordError   // bad params: every record becomes an error row
	RawParams []byte         // JSON as it came; nil = none
}

// EventID is the shard's name in events: retry n of a dead letter is <shard>/r<n>.
func (s *Shard) EventID() string {
	if s.Retry > 0 {
		return s.ID + "/r" + strconv.Itoa(s.Retry)
	}
	return s.ID
}

// Decode reads a message. An error is an *Invalid: the message is a dead letter.
// What is wrong with one record is in that record, what is wrong with params is in
// ParamsErr. The shard holds no reference to m.Data. Of a message with a claim it
// has only what the message itself says.
func Decode(m Message, l Limits) (*Shard, error) {
	s, err := decode(m, l)
	if err != nil {
		return nil, asInvalid(err)
	}
	return s, nil
}

func decode(m Message, l Limits) (*Shard, error) {
	subject, err := ParseSubject(m.Subject)
	if err != nil {
		return nil, err
	}
	s := &Shard{Task: subject.Task, Model: subject.Model, Job: subject.Job, Dataset: DefaultDataset}
	s.Embed, s.Generate = defaultEmbed, defaultGenerate
	retry, origin := m.Header.Retry()
	s.Retry = retry
	sequence := m.Sequence
	if retry > 0 && origin.Sequence > 0 {
		sequence = origin.Sequence
	}
	if err := s.readHeader(m.Header); err != nil {
		return nil, err
	}
	if s.Claim, err = m.Header.Claim(); err != nil {
		return nil, err
	}
	named := false
	charset, plain := m.Header.plainText()
	switch {
	case s.Claim != nil:
		named, err = s.stub(m, charset, plain, subject.Job, sequence)
	case plain:
		s.plain(m, sequence, charset)
	default:
		named, err = s.body(m.Data, subject.Job, l, false)
	}
	if err != nil {
		return nil, err
	}
	s.identify(named, sequence, origin)
	namer := NewNamer(s.ID)
	for i := range s.Records {
		namer.Name(&s.Records[i])
		s.Records[i].Check(s.Task, l)
	}
	return s, nil
}

func asInvalid(err error) error {
	var invalid *Invalid
	if errors.As(err, &invalid) {
		return invalid
	}
	return invalidf("%v", err)
}

// readHeader takes job and dataset from the headers; a job in the subject or in
// the body must be the same.
func (s *Shard) readHeader(h Header) error {
	if d := h.Get(HeaderDataset); d != "" {
		if err := naming.CheckDataset(d); err != nil {
			return invalidf("header %s: %v", HeaderDataset, err)
		}
		s.Dataset = d
	}
	job := h.Get(HeaderJob)
	if job == "" {
		return nil
	}
	if err := naming.CheckJob(job); err != nil {
		return invalidf("header %s: %v", HeaderJob, err)
	}
	return s.setJob(job, "header "+HeaderJob)
}

// setJob takes a job that `from` names and refuses a second, other one.
func (s *Shard) setJob(job, from string) error {
	if s.Job != "" && s.Job != job {
		return invalidf("%s is %q but the message belongs to job %q by its subject or header", from, job, s.Job)
	}
	s.Job = job
	return nil
}

// plain makes the one record of a text/plain message.
func (s *Shard) plain(m Message, sequence uint64, charset string) {
	if s.Job == "" {
		s.Job = DefaultTextJob
	}
	r := Record{ID: m.Header.Get(HeaderMsgID), Text: string(m.Data)}
	if s.Retry > 0 {
		r.ID = m.Header.Get(HeaderOriginalMsgID)
	}
	if r.ID == "" {
		r.ID, r.Placed = strconv.FormatUint(sequence, 10), true
	}
	switch {
	case charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii":
		r.Err, r.Text = recordErrorf(BadUTF8, "charset %q is not supported; send UTF-8", clip(charset)), ""
	case !utf8.ValidString(r.Text):
		r.Err, r.Text = recordErrorf(BadUTF8, "the text is not valid UTF-8"), ""
	}
	if !utf8.ValidString(r.ID) {
		r.ID, r.Placed = strconv.FormatUint(sequence, 10), true
	}
	s.Records = []Record{r}
}

// identify fills in the shard's name and the identity's part; named says that
// the message itself gives job and shard.
func (s *Shard) identify(named bool, sequence uint64, origin Origin) {
	if s.ID == "" {
		s.ID = strconv.FormatUint(sequence, 10)
	}
	if s.Job == "" {
		s.Job = DefaultJob
	}
	switch {
	case named:
		s.KeyID = s.EventID()
	case s.Retry > 0:
		s.KeyID = fmt.Sprintf("seq-%d-%d/r%d", origin.StreamCreated.UnixNano(), sequence, s.Retry)
	}
}
