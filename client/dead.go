package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// DeadOptions say which dead letters and where to.
type DeadOptions struct {
	Job    string // of a list, or of a retry of all: only those of this job; "" = of any
	Class  string // likewise
	JSON   bool   // one object a line
	Stdout io.Writer
	Stderr io.Writer

	// What a retry does with letters of class identity_conflict, whose names the table's rows have: a retry would make
	// the records twice. Keep committed drops the letters; AsNewJob publishes them under another job's name.
	Keep     string
	AsNewJob string
}

// KeepCommitted is the value of Keep: what the table has shall live.
const KeepCommitted = "committed"

// ErrConflict: a letter was left where it is, since it is not said which of two payloads shall live (exit 1).
var ErrConflict = errors.New("another payload's rows have its name")

// deadLetter is a dead letter as --json gives it.
type deadLetter struct {
	ID            string    `json:"id"`
	Time          time.Time `json:"time"`
	Class         string    `json:"class"`
	Reason        string    `json:"reason"`
	Attempts      int       `json:"attempts"`
	Task          string    `json:"task"`
	Model         string    `json:"model"`
	Job           string    `json:"job"`
	Subject       string    `json:"subject"`
	Sequence      uint64    `json:"sequence"`
	ModelSHA256   string    `json:"model_sha256"`
	Retry         int       `json:"retry"`
	Size          int       `json:"size"`
	Payload       *string   `json:"payload,omitempty"`
	PayloadBase64 string    `json:"payload_base64,omitempty"` // of one that is not UTF-8
}

func letterOf(e queue.DeadEntry) deadLetter {
	l := deadLetter{ID: e.ID, Time: e.Time, Class: e.Class, Reason: e.Reason, Attempts: e.Attempts, Task: e.Task,
		Model:   e.Model,
		Subject: e.Subject, Sequence: e.Sequence, ModelSHA256: e.ModelSHA256, Retry: e.Retry, Size: e.Size}
	if s, err := jobs.ParseSubject(e.Subject); err == nil {
		l.Job = s.Job
	}
	return l
}

func (o DeadOptions) wants(l deadLetter) bool {
	return (o.Job == "" || o.Job == l.Job) && (o.Class == "" || o.Class == l.Class)
}

// eachDead calls f for the letters that o chooses, the oldest first, without payloads.
func eachDead(ctx context.Context, q *queue.Queue, o DeadOptions, f func(deadLetter) error) error {
	if err := q.EnsureStreams(ctx, queue.StreamOptions{}); err != nil {
		return err
	}
	var failed error
	err := q.ListDead(ctx, func(e queue.DeadEntry) bool {
		if l := letterOf(e); o.wants(l) {
			failed = f(l)
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

// DeadList lists the dead letters without their payloads.
func DeadList(ctx context.Context, q *queue.Queue, o DeadOptions) error {
	if o.JSON {
		return eachDead(ctx, q, o, func(l deadLetter) error { return plain.JSON(o.Stdout, l) })
	}
	t := tabwriter.NewWriter(o.Stdout, 0, 0, 2, ' ', 0)
	n := 0
	err := eachDead(ctx, q, o, func(l deadLetter) error {
		if n++; n == 1 {
			fmt.Fprintln(t, "ID\tTIME\tCLASS\tATTEMPTS\tSUBJECT\tBYTES\tREASON")
		}
		return plain.Row(t, l.ID, l.Time.Format(time.RFC3339), l.Class, l.Attempts, l.Subject, l.Size, l.Reason)
	})
	if n == 0 && err == nil {
		fmt.Fprintln(o.Stderr, "no dead letters")
	}
	return errors.Join(err, t.Flush())
}

// DeadShow writes one dead letter with its payload and reason.
func DeadShow(ctx context.Context, q *queue.Queue, id string, o DeadOptions) error {
	if err := q.EnsureStreams(ctx, queue.StreamOptions{}); err != nil {
		return err
	}
	e, err := q.GetDead(ctx, id)
	if err != nil {
		return err
	}
	l := letterOf(e)
	if o.JSON {
		if utf8.Valid(e.Payload) {
			text := string(e.Payload)
			l.Payload = &text
		} else {
			l.PayloadBase64 = base64.StdEncoding.EncodeToString(e.Payload)
		}
		return plain.JSON(o.Stdout, l)
	}
	_, err = fmt.Fprintf(o.Stdout, "id            %s\ntime          %s\nclass         %s\nreason        %s\nattempts      %d\nsubject       %s\nsequence      %d\nmodel sha256  %s\nretry         %d\npayload       %d bytes:\n%s\n",
		plain.Text(l.ID), l.Time.Format(time.RFC3339), plain.Text(l.Class), plain.Text(l.Reason), l.Attempts,
		plain.Text(l.Subject),
		l.Sequence, plain.Text(l.ModelSHA256), l.Retry, l.Size, e.Payload)
	return err
}

// DeadRetry publishes the payloads of the letters with these ids again as they came, and removes the letters;
// without ids, of all that o chooses, where a letter that is gone by then is no failure. A retry is another delivery:
// its rows can be committed though the first one was judged dead. Letters of class identity_conflict are left, with
// ErrConflict at the end, unless o says what becomes of them.
func DeadRetry(ctx context.Context, q *queue.Queue, ids []string, o DeadOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	all := len(ids) == 0
	if all {
		err := eachDead(ctx, q, o, func(l deadLetter) error {
			ids = append(ids, l.ID)
			return nil
		})
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			fmt.Fprintln(o.Stderr, "no dead letters")
		}
	}
	left := 0
	for _, id := range ids {
		err := o.retry(ctx, q, id)
		switch {
		case all && errors.Is(err, queue.ErrNotFound): // somebody else was first
		case errors.Is(err, ErrConflict):
			fmt.Fprintln(o.Stderr, plain.Text(err.Error()))
			left++
		case err != nil:
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%w: %d letters are left; --keep %s drops them, --as-new-job NAME publishes them under another job", ErrConflict, left, KeepCommitted)
	}
	return nil
}

func (o DeadOptions) check() error {
	switch {
	case o.Keep != "" && o.AsNewJob != "":
		return fmt.Errorf("%w: give --keep or --as-new-job, not both", ErrUsage)
	case o.Keep != "" && o.Keep != KeepCommitted:
		return fmt.Errorf("%w: --keep %q: only %q can be kept; for the letter's payload, --as-new-job gives it a name of its own", ErrUsage, o.Keep, KeepCommitted)
	case o.AsNewJob != "" && (naming.CheckJob(o.AsNewJob) != nil || jobs.Shared(o.AsNewJob)):
		return fmt.Errorf("%w: --as-new-job %q is not a job's name, or everybody's", ErrUsage, o.AsNewJob)
	}
	return nil
}

// retry does with one letter what its class and o say.
func (o DeadOptions) retry(ctx context.Context, q *queue.Queue, id string) error {
	e, err := q.GetDead(ctx, id)
	if err != nil {
		return err
	}
	said := ""
	switch {
	case e.Class != jobs.IdentityConflict:
		e, err = q.RetryDead(ctx, id)
		said = fmt.Sprintf("retry %d on %s", e.Retry, e.Subject)
	case o.Keep == KeepCommitted:
		e, err = q.DropDead(ctx, id)
		said = "dropped"
	case o.AsNewJob != "":
		e, err = q.RepublishDead(ctx, id, o.AsNewJob)
		said = "published on " + e.Subject
	default:
		return fmt.Errorf("dead letter %s: %w", id, ErrConflict)
	}
	if err != nil {
		return err
	}
	if o.JSON {
		return plain.JSON(o.Stdout, letterOf(e))
	}
	_, err = fmt.Fprintf(o.Stdout, "%s %s\n", plain.Text(e.ID), plain.Text(said))
	return err
}
