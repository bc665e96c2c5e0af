package onnx

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	hugePage = 2 << 20
	// goArena is where Go's heap lies on 64-bit systems: its own runtime decides about huge pages there.
	goArena, goArenaEnd = 0xc000000000, 0x1c000000000
)

// span is a range of addresses.
type span struct{ from, to uintptr }

// HugePages runs load and asks the system to hold the memory that it allocated in huge pages. A decoder reads all its
// weights for each token, and the processor finds them faster so. Where the system does not do it, nothing is lost.
func HugePages(load func() error) error {
	before := anonymous()
	if err := load(); err != nil {
		return err
	}
	for _, s := range anonymous() {
		for _, part := range without(s, before) {
			from, to := (part.from+hugePage-1)/hugePage*hugePage, part.to/hugePage*hugePage
			if from >= to || from >= goArena && from < goArenaEnd {
				continue
			}
			const collapse = 25 // MADV_COLLAPSE, at once; where it is not known, the kernel's own thread does it by and by
			for _, advice := range []uintptr{unix.MADV_HUGEPAGE, collapse} {
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, advice)
			}
		}
	}
	return nil
}

// anonymous lists the writable memory of the process that no file stands behind, in the order of addresses.
func anonymous() []span {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []span
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// from-to perms offset device inode [path]
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || fields[1] != "rw-p" || fields[4] != "0" || len(fields) > 5 && fields[5] != "[heap]" &&
			!strings.HasPrefix(fields[5], "[anon") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		a, errA := strconv.ParseUint(from, 16, 64)
		b, errB := strconv.ParseUint(to, 16, 64)
		if errA == nil && errB == nil {
			all = append(all, span{uintptr(a), uintptr(b)})
		}
	}
	return all
}

// without is what of s none of others, which are in order, covers.
func without(s span, others []span) (rest []span) {
	for _, o := range others {
		if o.to <= s.from || o.from >= s.to {
			continue
		}
		if o.from > s.from {
			rest = append(rest, span{s.from, o.from})
		}
		s.from = max(s.from, o.to)
	}
	if s.from < s.to {
		rest = append(rest, s)
	}
	return rest
}
