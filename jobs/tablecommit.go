package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"textmill/ground/naming"
)

// EventTable is the type of what is told of a table's commits.
const EventTable = "table"

// TableCommit tells what one commit did to a table, as daemons publish it and as `textmill table follow` hands it on.
type TableCommit struct {
	Type       string      `json:"type"` // EventTable
	Dataset    string      `json:"dataset"`
	Table      string      `json:"table"`    // its path or URI
	TableID    string      `json:"table_id"` // another one where the table was made anew
	Version    int64       `json:"version"`
	Operation  string      `json:"operation,omitempty"`
	Rearranged bool        `json:"rearranged,omitempty"` // rows only moved between files
	Rows       int64       `json:"rows"`                 // of the files that were added
	Errors     int64       `json:"errors"`               // rows with an error among them
	NAdded     int         `json:"n_added"`
	NRemoved   int         `json:"n_removed"`
	Added      []TableFile `json:"added"` // of an event at most mostFiles
	Removed    []TableFile `json:"removed"`
	Time       time.Time   `json:"time"` // as the commit says
}

// TableFile is a file that a commit added or removed.
type TableFile struct {
	Path  string `json:"path"`
	Rows  *int64 `json:"rows,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
}

// mostFiles bounds an event; the log entry of its version names the rest.
const mostFiles = 100

// TableSubject is where the commits of a dataset are published. It has one token more than a job's events.
func TableSubject(dataset string) string { return eventsPrefix + ".table." + dataset }

// JobEvents are the subjects of jobs' events, and of nothing else.
const JobEvents = eventsPrefix + ".*"

// AppendEvent appends the commit as it is published.
func (c TableCommit) AppendEvent(dst []byte) ([]byte, error) {
	c.Added, c.Removed = c.Added[:min(len(c.Added), mostFiles)], c.Removed[:min(len(c.Removed), mostFiles)]
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode commit %d of %s: %w", c.Version, c.Table, err)
	}
	return append(dst, b...), nil
}

// ParseTableCommit reads what AppendEvent wrote. Keys that it does not know are no errors.
func ParseTableCommit(raw []byte) (TableCommit, error) {
	var c TableCommit
	if len(raw) > mostEventBytes {
		return c, fmt.Errorf("event has %d bytes, more than %d", len(raw), mostEventBytes)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return TableCommit{}, fmt.Errorf("event: %w", err)
	}
	if c.Type != EventTable || naming.CheckDataset(c.Dataset) != nil || c.Version < 0 {
		return TableCommit{}, errors.New("event is not of a table's commit")
	}
	return c, nil
}
