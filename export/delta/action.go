// Package delta reads and appends to the log of a Delta table.
package delta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Protocol is what a reader and a writer of the table must know.
type Protocol struct {
	MinReaderVersion int32    `json:"minReaderVersion"`
	MinWriterVersion int32    `json:"minWriterVersion"`
	ReaderFeatures   []string `json:"readerFeatures,omitempty"`
	WriterFeatures   []string `json:"writerFeatures,omitempty"`
}

// Format is always Parquet; Options is present and empty.
type Format struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

// Metadata is the table's identity and schema.
type Metadata struct {
	ID               string            `json:"id"`
	Name             *string           `json:"name,omitempty"`
	Description      *string           `json:"description,omitempty"`
	Format           Format            `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      *int64            `json:"createdTime,omitempty"`
}

// Txn is an application's transaction: the latest version it committed under an id.
type Txn struct {
	AppID       string `json:"appId"`
	Version     int64  `json:"version"`
	LastUpdated *int64 `json:"lastUpdated,omitempty"` // milliseconds
}

// Add makes a file part of the table.
type Add struct {
	Path             string             `json:"path"`
	PartitionValues  map[string]*string `json:"partitionValues"`
	Size             int64              `json:"size"`
	ModificationTime int64              `json:"modificationTime"`
	DataChange       bool               `json:"dataChange"`
	Stats            *string            `json:"stats,omitempty"`
	Tags             map[string]*string `json:"tags,omitempty"`
}

// Remove takes a file out of the table.
type Remove struct {
	Path                 string             `json:"path"`
	DeletionTimestamp    *int64             `json:"deletionTimestamp,omitempty"`
	DataChange           bool               `json:"dataChange"`
	ExtendedFileMetadata *bool              `json:"extendedFileMetadata,omitempty"`
	PartitionValues      map[string]*string `json:"partitionValues,omitempty"`
	Size                 *int64             `json:"size,omitempty"`
	Tags                 map[string]*string `json:"tags,omitempty"`
}

// CommitInfo says who committed and what; TxnID is random and tells our own commit from another's.
type CommitInfo struct {
	Timestamp           int64             `json:"timestamp"`
	Operation           string            `json:"operation"`
	OperationParameters map[string]string `json:"operationParameters"`
	IsBlindAppend       bool              `json:"isBlindAppend"`
	EngineInfo          string            `json:"engineInfo"`
	TxnID               string            `json:"txnId"`
}

// Action is one line of a log entry: exactly one field is set.
type Action struct {
	CommitInfo *CommitInfo `json:"commitInfo,omitempty"`
	Protocol   *Protocol   `json:"protocol,omitempty"`
	Metadata   *Metadata   `json:"metaData,omitempty"`
	Txn        *Txn        `json:"txn,omitempty"`
	Add        *Add        `json:"add,omitempty"`
	Remove     *Remove     `json:"remove,omitempty"`
}

// ErrCorrupt is the class of logs that cannot be read.
var ErrCorrupt = errors.New("log is corrupt")

// Encode writes a log entry.
func Encode(actions []Action) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range actions {
		if err := enc.Encode(&actions[i]); err != nil {
			return nil, fmt.Errorf("encode a log entry: %w", err)
		}
	}
	return b.Bytes(), nil
}

// foreignInfo reads a commitInfo leniently: other writers put values of any type into it.
type foreignInfo struct {
	TxnID      json.RawMessage `json:"txnId"`
	Timestamp  json.RawMessage `json:"timestamp"`
	Operation  json.RawMessage `json:"operation"`
	EngineInfo json.RawMessage `json:"engineInfo"`
}

type line struct {
	CommitInfo *foreignInfo `json:"commitInfo"`
	Protocol   *Protocol    `json:"protocol"`
	Metadata   *Metadata    `json:"metaData"`
	Txn        *Txn         `json:"txn"`
	Add        *foreignAdd  `json:"add"`
	Remove     *Remove      `json:"remove"`
}

type foreignAdd struct {
	Add
	DeletionVector json.RawMessage `json:"deletionVector"`
}

// Entry is a decoded log entry. Of commitInfo is kept what is of the types that this writer uses.
type Entry struct {
	TxnID     string
	Timestamp int64 // milliseconds
	Operation string
	Engine    string

	Protocol *Protocol
	Metadata *Metadata
	Txns     []Txn
	Adds     []Add
	Removes  []Remove
}

// Decode reads a log entry. An entry that is torn or empty is ErrCorrupt.
func Decode(data []byte) (*Entry, error) {
	e := &Entry{}
	n := 0
	for len(data) > 0 {
		text := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			text, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		n++
		if err := e.decodeLine(text); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrCorrupt, n, err)
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: the entry is empty", ErrCorrupt)
	}
	return e, nil
}

func (e *Entry) decodeLine(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	if l.CommitInfo != nil {
		// Another writer's may be anything; then they say nothing.
		_ = json.Unmarshal(l.CommitInfo.TxnID, &e.TxnID)
		_ = json.Unmarshal(l.CommitInfo.Timestamp, &e.Timestamp)
		_ = json.Unmarshal(l.CommitInfo.Operation, &e.Operation)
		_ = json.Unmarshal(l.CommitInfo.EngineInfo, &e.Engine)
	}
	if l.Protocol != nil {
		e.Protocol = l.Protocol
	}
	if l.Metadata != nil {
		e.Metadata = l.Metadata
	}
	if l.Txn != nil {
		e.Txns = append(e.Txns, *l.Txn)
	}
	if l.Remove != nil {
		if l.Remove.Path == "" {
			return errors.New("remove without a path")
		}
		e.Removes = append(e.Removes, *l.Remove)
	}
	if l.Add == nil {
		return nil
	}
	if l.Add.Path == "" {
		return errors.New("add without a path")
	}
	if v := l.Add.DeletionVector; len(v) > 0 && string(v) != "null" {
		return errors.New("deletion vectors are not supported")
	}
	e.Adds = append(e.Adds, l.Add.Add)
	return nil
}
