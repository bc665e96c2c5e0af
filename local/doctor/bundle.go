package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bundled is one file of an archive.
type bundled struct {
	name string
	text []byte
}

// about stands first in an archive.
const about = `What textmill doctor --bundle gathered for an issue report. Secrets were taken out: tokens, passwords, keys and credentials of the
configuration and the environment, wherever they stood. Names of models, datasets, jobs, files and hosts are as they are, and so are
the metrics of the daemon, if one answered. Read it before you attach it.
`

// Bundle writes an archive for an issue report to a file, which must not be there yet: the report, the configuration,
// versions, what the machine is, and what a daemon says that answers, all without secrets.
func Bundle(ctx context.Context, o Options, r Report, file string) (err error) {
	x := &examined{o: o, cfg: o.Config}
	var text, answer bytes.Buffer
	if err := errors.Join(r.Write(&text, false), r.Write(&answer, true)); err != nil {
		return err
	}
	files := []bundled{{"README.txt", []byte(about)}, {"report.txt", text.Bytes()}, {"report.json", answer.Bytes()},
		{"config.txt", []byte(o.Config.String())}, {"environment.txt", variables(os.Environ())},
		{"machine.txt", []byte(machine(o.Version))}}
	if o.Broken == nil {
		x.findDaemon(ctx)
	}
	if x.daemon != nil {
		files = append(files, x.daemon.says(ctx)...)
	}
	clean := newRedactor(o.Config, os.Environ()).clean
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(file))
		}
	}()
	w := zip.NewWriter(out)
	folder := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for _, f := range files {
		part, err := w.CreateHeader(&zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: time.Now()})
		if err != nil {
			return err
		}
		if _, err := part.Write(clean(f.text)); err != nil {
			return err
		}
	}
	return w.Close()
}

// says gathers what a daemon tells of itself.
func (a *answering) says(ctx context.Context) (files []bundled) {
	for _, page := range []struct{ path, name string }{
		{"/readyz", "readyz.txt"}, {"/status", "status.json"}, {"/metrics", "metrics.txt"},
	} {
		status, body, err := a.get(ctx, page.path)
		if err != nil {
			body = []byte(err.Error() + "\n")
		} else if status != 200 {
			body = append(fmt.Appendf(nil, "%d\n", status), body...)
		}
		files = append(files, bundled{"daemon/" + page.name, body})
	}
	return files
}

// machine is what one would ask of whoever reports: program, system, processor, memory and limits.
func machine(version string) string {
	var out strings.Builder
	say := func(name, value string) { fmt.Fprintf(&out, "%s: %s\n", name, value) }
	say("textmill", version)
	say("go", runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		say("kernel", unix.ByteSliceToString(u.Release[:])+" "+unix.ByteSliceToString(u.Machine[:]))
	}
	say("processors", fmt.Sprintf("%d, %d used", runtime.NumCPU(), runtime.GOMAXPROCS(0)))
	for _, fact := range []struct {
		file  string
		lines []string // whose beginnings are wanted; nil for the whole file
	}{
		{"/etc/os-release", []string{"PRETTY_NAME"}},
		{"/proc/cpuinfo", []string{"vendor_id", "model name", "stepping", "microcode", "cache size", "flags"}},
		{"/proc/meminfo", []string{"MemTotal", "MemAvailable", "SwapTotal", "HugePages_Total"}},
		{"/sys/fs/cgroup/cpu.max", nil},
		{"/sys/fs/cgroup/memory.max", nil},
		{"/sys/kernel/mm/transparent_hugepage/enabled", nil},
		{"/proc/self/limits", []string{"Max open files", "Max locked memory", "Max processes"}},
	} {
		data, err := os.ReadFile(fact.file)
		if err != nil {
			continue
		}
		fmt.Fprintf(&out, "\n%s\n%s", fact.file, chosen(string(data), fact.lines))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprintln(&out, "\nmade of")
		for _, m := range info.Deps {
			fmt.Fprintln(&out, m.Path, m.Version)
		}
	}
	return out.String()
}

// chosen are the first lines of a text that begin with each of some words; all of it without any.
func chosen(text string, words []string) string {
	if words == nil {
		return text
	}
	var out strings.Builder
	for _, word := range words {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, word) {
				out.WriteString(line)
				break
			}
		}
	}
	return out.String()
}
