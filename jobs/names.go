package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	jobsPrefix   = "textmill.jobs"
	deadPrefix   = "textmill.dead"
	eventsPrefix = "textmill.events"
)

// Subject is where a job message is published: textmill.jobs.<task>.<model>[.<job>].
type Subject struct{ Task, Model, Job string }

func (s Subject) String() string {
	if s.Job == "" {
		return jobsPrefix + "." + s.Task + "." + s.Model
	}
	return jobsPrefix + "." + s.Task + "." + s.Model + "." + s.Job
}

// ParseSubject reads a subject of job messages; its errors name the part that is wrong.
func ParseSubject(subject string) (Subject, error) {
	rest, ok := strings.CutPrefix(subject, jobsPrefix+".")
	if !ok {
		return Subject{}, fmt.Errorf("subject %q is not %s.<task>.<model>[.<job>]", subject, jobsPrefix)
	}
	parts := strings.Split(rest, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return Subject{}, fmt.Errorf("subject %q is not %s.<task>.<model>[.<job>]", subject, jobsPrefix)
	}
	s := Subject{Task: parts[0], Model: parts[1]}
	if s.Task != TaskEmbed && s.Task != TaskGenerate {
		return Subject{}, fmt.Errorf("subject %q: task %q is not known; tasks are embed and generate", subject, s.Task)
	}
	if !ValidModel(s.Model) {
		return Subject{}, fmt.Errorf("subject %q: model %q does not match [A-Za-z0-9_-]{1,128}", subject, s.Model)
	}
	if len(parts) == 3 {
		if s.Job = parts[2]; !ValidJob(s.Job) {
			return Subject{}, fmt.Errorf("subject %q: job %q does not match [A-Za-z0-9_-]{1,128}", subject, s.Job)
		}
	}
	return s, nil
}

// DeadSubject is where the dead letter of a delivery with this identity lies; the
// same key gives the same subject.
func DeadSubject(task, model, key string) string {
	return DeadSubjectOf(task, model, KeyHash(key))
}

// DeadSubjectOf is DeadSubject for a key that is hashed already.
func DeadSubjectOf(task, model, hash string) string {
	return deadPrefix + "." + task + "." + model + "." + hash
}

// KeyHash shortens an identity to one subject token.
func KeyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// EventSubject is where a job's events are published.
func EventSubject(job string) string { return eventsPrefix + "." + job }

// ValidJob reports whether s is a job name, [A-Za-z0-9_-]{1,128}.
func ValidJob(s string) bool { return isName(s, 128) }

// ValidModel reports whether s is a model name, [A-Za-z0-9_-]{1,128}.
func ValidModel(s string) bool { return isName(s, 128) }

// ValidDataset reports whether s is a dataset name, [A-Za-z0-9_-]{1,64} that
// does not begin with an underscore: it can never leave the export root, and is
// no name that readers of tables pass over, such as _delta_log.
func ValidDataset(s string) bool { return isName(s, 64) && s[0] != '_' }

// ValidShard reports whether s names a shard: 1 to 128 bytes of printable UTF-8
// without "/", which separates a retry's number.
func ValidShard(s string) bool {
	if s == "" || len(s) > 128 || !utf8.ValidString(s) || strings.Contains(s, "/") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func isName(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
