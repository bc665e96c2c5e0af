package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// grace is what a target may take beyond its time: for starting, for the inputs it has, for shrinking what it found.
const grace = 3 * time.Minute

// result is what became of one target.
type result struct {
	took        time.Duration
	execs       int64
	interesting int64 // inputs that reached code which none before had
	peak        int64 // bytes that its worker had resident at most
	err         error
}

// fuzz runs the target in one worker until its time is over or it fails.
func (t target) fuzz(ctx context.Context, o options, temp string) result {
	temp, err := os.MkdirTemp(temp, t.name+"-")
	if err != nil {
		return result{err: err}
	}
	defer os.RemoveAll(temp)
	ctx, cancel := context.WithTimeoutCause(ctx, o.time+grace, fmt.Errorf("still ran %s after its time was over", grace))
	defer cancel()
	// Who asks for endless memory at once is refused it and crashes, so that the fuzzer keeps the input.
	space := 4*o.memory + 4<<30 // a Go process reserves more than it uses
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `ulimit -v "$1" && shift && exec "$@"`, "sh",
		strconv.FormatInt(space>>10, 10),
		t.binary, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+o.time.String(),
		"-test.fuzzminimizetime=10x", "-test.fuzzcachedir="+t.corpus, "-test.parallel=1")
	cmd.Dir = t.dir
	// Garbage is collected rather than counted: what passes the bound is in use.
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "GOMEMLIMIT="+strconv.FormatInt(o.memory*3/4, 10))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out

	start := time.Now()
	if err := cmd.Start(); err != nil {
		return result{err: err}
	}
	ended := make(chan struct{})
	watched := make(chan int64)
	go func() { watched <- watch(cmd.Process.Pid, o.memory, ended) }()
	err = cmd.Wait()
	close(ended)
	r := result{took: time.Since(start), peak: <-watched}
	r.execs, r.interesting = progress(out.Bytes())
	switch {
	case ctx.Err() != nil:
		r.err = context.Cause(ctx)
	case err != nil:
		r.err = fmt.Errorf("%w\n%s", err, elapsed.ReplaceAll(out.Bytes(), nil))
	case r.peak > o.memory:
		r.err = fmt.Errorf("%d MiB were resident", r.peak>>20)
	case r.execs == 0:
		r.err = fmt.Errorf("in %s it executed nothing beyond the inputs that it had; give it more time", o.time)
	}
	return r
}

var elapsed = regexp.MustCompile(`(?m)^fuzz: elapsed: .*\n`)

var progressLine = regexp.MustCompile(`execs: (\d+) .*new interesting: (\d+) `)

// progress reads the last line that counts.
func progress(out []byte) (execs, interesting int64) {
	lines := progressLine.FindAllSubmatch(out, -1)
	if len(lines) == 0 {
		return 0, 0
	}
	last := lines[len(lines)-1]
	execs, _ = strconv.ParseInt(string(last[1]), 10, 64)
	interesting, _ = strconv.ParseInt(string(last[2]), 10, 64)
	return execs, interesting
}

// watch returns the most that a process of the group had resident, beside its leader, which only hands out the inputs.
// One that passes bound is aborted, upon which the leader records the input that it had.
func watch(group int, bound int64, ended <-chan struct{}) int64 {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var most int64
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
		workers, err := members(group)
		if err != nil {
			continue // it has ended
		}
		for _, pid := range workers {
			peak := resident(pid)
			if most = max(most, peak); peak > bound {
				_ = syscall.Kill(pid, syscall.SIGABRT)
			}
		}
	}
}

// members lists the processes of a group other than its leader.
func members(group int) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid == group {
			continue
		}
		if g, err := syscall.Getpgid(pid); err == nil && g == group {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, errors.New("the group is empty")
	}
	return pids, nil
}

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// resident returns the most memory that a process had resident so far, or 0 when it has ended.
func resident(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	found := peakLine.FindSubmatch(status)
	if found == nil {
		return 0
	}
	kib, _ := strconv.ParseInt(string(found[1]), 10, 64)
	return kib << 10
}
