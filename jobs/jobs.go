// Package jobs reads what publishers send: job messages, their records and params.
package jobs

import (
	"fmt"
	"strings"
)

// Classes of errors. The first group ends as a row with `error` set, the second
// as a dead letter of the whole shard, or of a record that crashes its process.
// What they mean to a user stands in docs/reference/errors.md.
const (
	InvalidRecord = "invalid_record"
	DuplicateID   = "duplicate_id"
	BadUTF8       = "bad_utf8"
	TooLong       = "too_long"
	InvalidParam  = "invalid_param"
	Template      = "template"
	NoRoom        = "no_room"
	NaN           = "nan"
	OutOfMemory   = "out_of_memory"
	Timeout       = "timeout"
	ModelFailed   = "model_failed"

	InvalidJob       = "invalid_job"
	IdentityConflict = "identity_conflict"
	Schema           = "schema"
	Unwritable       = "unwritable"
	InputChanged     = "input_changed"
	InputMissing     = "input_missing"
	InputForbidden   = "input_forbidden"
	ClaimMissing     = "claim_missing"
	ClaimDamaged     = "claim_damaged"
	Crash            = "crash"
)

// RecordError says why one record has no result.
type RecordError struct{ Class, Message string }

// String is the text of the row's `error` column, "class: message".
func (e *RecordError) String() string { return e.Class + ": " + e.Message }

func (e *RecordError) Error() string { return e.String() }

func recordErrorf(class, format string, args ...any) *RecordError {
	return &RecordError{Class: class, Message: fmt.Sprintf(format, args...)}
}

// ParseRecordError reads "class: message" back. A text without a class is of
// class invalid_record.
func ParseRecordError(s string) *RecordError {
	class, message, ok := strings.Cut(s, ": ")
	if !ok || class == "" || strings.Trim(class, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return &RecordError{Class: InvalidRecord, Message: s}
	}
	return &RecordError{Class: class, Message: message}
}

// Invalid says why a whole shard cannot be understood; it ends as a dead letter.
type Invalid struct{ Class, Reason string }

func (e *Invalid) Error() string { return e.Class + ": " + e.Reason }

func invalidf(format string, args ...any) *Invalid {
	return &Invalid{Class: InvalidJob, Reason: fmt.Sprintf(format, args...)}
}

// Limits bound what one message may ask for. Zero means no limit.
type Limits struct {
	RecordsPerShard int // more is invalid_job
	RecordBytes     int // of text or of all messages' contents; more is a too_long row
	ClaimBytes      int // of a payload that lies in chunks; 0 = none may
}
