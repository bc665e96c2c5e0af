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

// stagingPrefix begins the names of tables that gather what a sync brings, which nobody lists as datasets.
const stagingPrefix = ".sync-"

// syncBytes is how long the id of a sync is, in hex.
const syncBytes = 16

// Staging is the name of the table that gathers what a sync brings into a dataset.
func Staging(dataset, sync string) string { return stagingPrefix + dataset + "-" + sync }

// OfStaging takes such a name apart.
func OfStaging(table string) (dataset, sync string, ok bool) {
	rest, ok := strings.CutPrefix(table, stagingPrefix)
	i := len(rest) - syncBytes - 1
	if !ok || i < 1 || rest[i] != '-' || CheckDataset(rest[:i]) != nil || CheckSync(rest[i+1:]) != nil {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// CheckSync says what is wrong with the id of a sync.
func CheckSync(s string) error {
	if len(s) != syncBytes || strings.Trim(s, "0123456789abcdef") != "" {
		return fmt.Errorf("%.64q is not %d hexadecimal digits", s, syncBytes)
	}
	return nil
}

// CheckTable says what is wrong with the name of a table, a dataset's or one that gathers what a sync brings.
func CheckTable(s string) error {
	if _, _, staging := OfStaging(s); staging {
		return nil
	}
	return CheckDataset(s)
}

// DatasetOf is the dataset whose rows a table has, or is to have.
func DatasetOf(table string) string {
	if dataset, _, staging := OfStaging(table); staging {
		return dataset
	}
	return table
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

// What becomes of a record that a table may hold already, by its task and id: its rows come to the others, take their
// place, or are left out.
const (
	RepeatAppend  = "append"
	RepeatReplace = "replace"
	RepeatSkip    = "skip"
)

// CheckOnRepeat says what is wrong with what is to become of repeated records.
func CheckOnRepeat(s string) error {
	if all := []string{RepeatAppend, RepeatReplace, RepeatSkip}; !slices.Contains(all, s) {
		return fmt.Errorf("%.64q is not known; it is one of %s", s, strings.Join(all, ", "))
	}
	return nil
}
