// Package naming holds what things may be called, and finds which of several names somebody probably meant.
package naming

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tasks: what a model does with a record.
const (
	TaskEmbed    = "embed"
	TaskGenerate = "generate"
)

// Tasks are all there are.
func Tasks() []string { return []string{TaskEmbed, TaskGenerate} }

// CheckTask says what is wrong with a task's name.
func CheckTask(s string) error {
	if slices.Contains(Tasks(), s) {
		return nil
	}
	return fmt.Errorf("%.64q is not known; tasks are %s", s, strings.Join(Tasks(), " and "))
}

// mostName is how many bytes the names of jobs, models and shards have at the most; so is one token of a subject
// bounded.
const mostName = 128

// CheckJob says what is wrong with a job's name, which is a token of its subject.
func CheckJob(s string) error { return check(s, mostName) }

// CheckModel says what is wrong with a model's name, which is a token of its subject and a folder.
func CheckModel(s string) error { return check(s, mostName) }

const mostDataset = 64

// CheckDataset says what is wrong with a dataset's name, which is its table's folder: it never leads out of the folder
// of tables, and is none that readers of tables pass over, such as _delta_log.
func CheckDataset(s string) error {
	const rule = "[A-Za-z0-9_-]{1,%d}, not beginning with _"
	switch {
	case check(s, mostDataset) != nil:
		return fmt.Errorf("%.64q does not match "+rule, s, mostDataset)
	case s[0] == '_':
		return fmt.Errorf("%.64q begins with _, as what readers of tables pass over; it must match "+rule, s, mostDataset)
	}
	return nil
}

// CheckShard says what is wrong with a shard's name; the slash separates the number of a retry.
func CheckShard(s string) error {
	printable := func(r rune) bool { return unicode.IsPrint(r) }
	if s == "" || len(s) > mostName || !utf8.ValidString(s) || strings.Contains(s, "/") ||
		strings.TrimLeftFunc(s, printable) != "" {
		return fmt.Errorf("%.64q is not 1 to %d bytes of printable text without \"/\"", s, mostName)
	}
	return nil
}

func check(s string, most int) error {
	if s == "" || len(s) > most || strings.TrimLeftFunc(s, allowed) != "" {
		return fmt.Errorf("%.64q does not match [A-Za-z0-9_-]{1,%d}", s, most)
	}
	return nil
}

func allowed(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}

// Dashed is a text with - for every character that a name may not have.
func Dashed(s string) string {
	return strings.Map(func(r rune) rune {
		if allowed(r) {
			return r
		}
		return '-'
	}, s)
}
