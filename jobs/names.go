package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"textmill/ground/naming"
)

const (
	jobsPrefix   = "textmill.jobs"
	deadPrefix   = "textmill.dead"
	eventsPrefix = "textmill.events"
)

// All subjects of job messages, dead letters and events.
const (
	AllJobs   = jobsPrefix + ".>"
	AllDead   = deadPrefix + ".>"
	AllEvents = eventsPrefix + ".>"
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
	if err := naming.CheckTask(s.Task); err != nil {
		return Subject{}, fmt.Errorf("subject %q: task %w", subject, err)
	}
	if err := naming.CheckModel(s.Model); err != nil {
		return Subject{}, fmt.Errorf("subject %q: model %w", subject, err)
	}
	if len(parts) == 3 {
		s.Job = parts[2]
		if err := naming.CheckJob(s.Job); err != nil {
			return Subject{}, fmt.Errorf("subject %q: job %w", subject, err)
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

// ParseDeadSubject reads what DeadSubjectOf wrote; false when subject is no dead letter's.
func ParseDeadSubject(subject string) (task, model, hash string, ok bool) {
	rest, ok := strings.CutPrefix(subject, deadPrefix+".")
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// KeyHash shortens an identity to one subject token.
func KeyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// EventSubject is where a job's events are published.
func EventSubject(job string) string { return eventsPrefix + "." + job }
