package jobs

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
)

// Named is what a message says of itself, "" where it says nothing that can be used.
type Named struct{ Job, Shard, Dataset string }

// Named reads what it can of a message that does not decode, so that what becomes of it is told to the job that waits
// for it. A subject's job comes before a header's, and that before the body's.
func (m Message) Named() Named {
	var n Named
	if s, err := ParseSubject(m.Subject); err == nil {
		n.Job = s.Job
	}
	if d := m.Header.Get(HeaderDataset); naming.CheckDataset(d) == nil {
		n.Dataset = d
	}
	if job := m.Header.Get(HeaderJob); n.Job == "" && naming.CheckJob(job) == nil {
		n.Job = job
	}
	if _, plain := m.Header.plainText(); plain {
		if n.Job == "" {
			n.Job = DefaultTextJob
		}
		return n
	}
	s := scanner{data: m.Data}
	for more := s.take('{'); more; more = s.take(',') {
		name, err := s.key()
		if err != nil {
			break
		}
		raw, err := s.value()
		if err != nil {
			break
		}
		n.take(name, raw)
	}
	if retry, _ := m.Header.Retry(); n.Shard != "" && retry > 0 {
		n.Shard += "/r" + strconv.Itoa(retry)
	}
	return n
}

func (n *Named) take(name string, v jsontext.Value) {
	switch name {
	case "job", "dataset":
		if !v.IsValid() || v.Kind() != '"' {
			return
		}
		text := unquote(v)
		if name == "job" && n.Job == "" && naming.CheckJob(text) == nil {
			n.Job = text
		}
		if name == "dataset" && naming.CheckDataset(text) == nil {
			n.Dataset = text
		}
	case "shard":
		if id, err := shardID(v); v.IsValid() && err == nil {
			n.Shard = id
		}
	}
}

// Shared reports whether a job gathers what publishers gave no job: it belongs to nobody, so nobody may cancel it
// whole.
func Shared(job string) bool { return job == DefaultJob || job == DefaultTextJob }
