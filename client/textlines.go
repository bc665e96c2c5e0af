package client

import (
	"fmt"
	"strconv"
	"strings"

	"textmill/input"
)

// place gives a line of a text file, which has no place for an id of its own, one that no other file's line has, and
// says where it stands. Lines of a stream keep the number that their shard gives them: for those it is false.
func place(it *input.Item, file string) bool {
	if isStream(file) {
		return false
	}
	name := input.Slashed(file)
	it.Record.ID = fmt.Sprintf("%s:%d", name, it.Line)
	it.Record.Attributes = map[string]string{"file": name, "line": strconv.FormatInt(it.Line, 10)}
	return true
}

// isStream says that a FILE has no name of its own.
func isStream(file string) bool {
	return file == stdinName || file == "/dev/stdin" || strings.HasPrefix(file, "/dev/fd/")
}
