package jobs

import "textmill/ground/naming"

const (
	filesPrefix   = "textmill.files"
	batchesPrefix = "textmill.batches"
)

// All subjects of the contents of files, and of what is known of files and batches.
const (
	AllFiles   = filesPrefix + ".>"
	AllBatches = batchesPrefix + ".>"
)

// Kinds of what is known under BatchSubject.
const (
	KindFile   = "file"
	KindBatch  = "batch"
	KindTables = "tables" // where the rows of the queue go
)

// FileSubject is where the chunks of a file's content lie.
func FileSubject(content string) string { return filesPrefix + "." + content }

// BatchSubject is where the latest of what is known of a file, a batch or the queue's tables lies.
func BatchSubject(kind, id string) string { return batchesPrefix + "." + kind + "." + id }

// CheckBatchID says whether an id can be one of a file or batch: it is a token of a subject.
func CheckBatchID(id string) error { return naming.CheckJob(id) }
