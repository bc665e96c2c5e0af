// Package descriptors shares out what the process may open.
package descriptors

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What the process may open is shared out at the start, so that no number of clients or datasets can take what commits
// need.
const (
	descriptorsAtRest   = 64 // libraries, logs, the queue's store, a connection of our own
	descriptorsPerTable = 6  // its directories and its lock; an open part; a log entry that is read
	mostConnections     = 64 // of HTTP
	fewestConnections   = 8
	fewestTables        = 4
)

// Shares is how many of each may be open at a time.
type Shares struct {
	Limit       int // of the process
	Connections int // of HTTP
	Clients     int // of the embedded NATS server
	Tables      int
}

// shareOut divides a limit of descriptors; tables is what the configuration wants.
func shareOut(limit, tables int, embedded bool) Shares {
	s := Shares{Limit: limit, Connections: min(max(limit/8, fewestConnections), mostConnections)}
	turnedAway := 0 // clients beyond their number, whom the embedded server takes before it hangs up on them
	if embedded {
		s.Clients, turnedAway = max(limit/8, fewestConnections), limit/4
	}
	left := limit - descriptorsAtRest - s.Connections - s.Clients - turnedAway
	s.Tables = min(tables, max(left/descriptorsPerTable, fewestTables))
	return s
}

// Share divides the limit that the system sets; tables is what the configuration wants.
func Share(tables int, embedded bool) (Shares, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return Shares{}, fmt.Errorf("limit of open files: %w", err)
	}
	return shareOut(int(min(limit.Cur, 1<<20)), tables, embedded), nil
}
