package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What the process may open is shared out at the start, so that no number of clients or datasets can take what commits need.
const (
	descriptorsAtRest   = 64 // libraries, logs, the queue's store, a connection of our own
	descriptorsPerTable = 6  // its directories and its lock; an open part; a log entry that is read
	mostConnections     = 64 // of HTTP
	fewestConnections   = 8
	fewestTables        = 4
)

// shares is how many of each may be open at a time.
type shares struct {
	limit       int // of the process
	connections int // of HTTP
	clients     int // of the embedded NATS server
	tables      int
}

// shareOut divides a limit of descriptors; tables is what the configuration wants.
func shareOut(limit, tables int, embedded bool) shares {
	s := shares{limit: limit, connections: min(max(limit/8, fewestConnections), mostConnections)}
	turnedAway := 0 // clients beyond their number, whom the embedded server takes before it hangs up on them
	if embedded {
		s.clients, turnedAway = max(limit/8, fewestConnections), limit/4
	}
	left := limit - descriptorsAtRest - s.connections - s.clients - turnedAway
	s.tables = min(tables, max(left/descriptorsPerTable, fewestTables))
	return s
}

// shareDescriptors asks the system for the limit.
func shareDescriptors(tables int, embedded bool) (shares, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return shares{}, fmt.Errorf("limit of open files: %w", err)
	}
	return shareOut(int(min(limit.Cur, 1<<20)), tables, embedded), nil
}
