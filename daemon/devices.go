package daemon

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"textmill/daemon/page"
	"textmill/open"
)

// devices are those that the models run on, the processor first: its memory is the machine's, or what the process may
// have of it.
func (d *Daemon) devices() []page.Device {
	has, all := resident()
	cores := runtime.GOMAXPROCS(0)
	seen := []page.Device{{Name: "cpu", About: fmt.Sprintf("%d of %d cores", cores, runtime.NumCPU()),
		Used: has, Memory: all, Cores: cores}}
	var names []string
	for _, c := range d.consumers {
		if !slices.Contains(names, c.device) {
			names = append(names, c.device)
		}
	}
	cards, err := open.CardMemory(names)
	if err != nil {
		return append(seen, page.Device{Name: "cuda", About: err.Error()})
	}
	for _, c := range cards {
		one := page.Device{Name: c.Device, About: c.Name, Memory: c.Bytes, Promised: c.Promised}
		if c.Free >= 0 {
			one.Used = c.Bytes - c.Free
		}
		seen = append(seen, one)
	}
	return seen
}

// resident is what this process has of the machine's memory, and how much it may have; 0 where the system does not
// say.
func resident() (has, all int64) {
	var machine unix.Sysinfo_t
	if unix.Sysinfo(&machine) == nil {
		all = int64(machine.Totalram) * int64(machine.Unit)
	}
	if most := allowed("/"); most > 0 && (all == 0 || most < all) {
		all = most
	}
	raw, err := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(raw)); err == nil && len(fields) > 1 {
		pages, _ := strconv.ParseInt(fields[1], 10, 64)
		has = pages * int64(os.Getpagesize())
	}
	return has, all
}

// allowed is the least limit of memory of this process's control group and those above it; 0 where there is none.
func allowed(root string) (least int64) {
	raw, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	_, group, _ := strings.Cut(string(raw), "0::")
	group, _, _ = strings.Cut(group, "\n")
	for at := filepath.Join("/", group); ; at = filepath.Dir(at) {
		raw, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", at, "memory.max"))
		if n, is := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil && is == nil {
			least = cmp.Or(min(least, n), n)
		}
		if at == "/" {
			return least
		}
	}
}

// processor is how many seconds of it the process had.
func processor() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
