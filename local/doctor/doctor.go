// Package doctor looks for what keeps textmill from working on this machine, and names the line that mends it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/jobs/queue"
)

// What was found of something.
const (
	OK   = "ok"
	Warn = "warn" // it works, and not as well as it might
	Fail = "FAIL" // it does not
)

// Finding is one line of a report.
type Finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Says   string `json:"says"`
	Mend   string `json:"mend,omitempty"` // the line that mends it
}

// Report is everything that was found.
type Report struct {
	Version  string    `json:"version"`
	OK       bool      `json:"ok"` // nothing failed
	Findings []Finding `json:"findings"`
}

// ErrFailed is the answer where something failed; the report says what.
var ErrFailed = errors.New("something is wrong, see above")

// Options are what is examined.
type Options struct {
	Config  config.Config
	Broken  error  // why the configuration could not be read; Config is as far as it was then
	Version string // of this program
}

// examined gathers findings.
type examined struct {
	o        Options
	cfg      config.Config
	findings []Finding
	daemon   *answering     // the one that listens at http.addr; nil where none does
	bound    *queue.Binding // of the queue to tables; nil where it is bound to none, or could not be asked
}

func (x *examined) add(check, status, mend, format string, args ...any) {
	x.findings = append(x.findings, Finding{check, status, fmt.Sprintf(format, args...), mend})
}

func (x *examined) ok(check, format string, args ...any) { x.add(check, OK, "", format, args...) }

// Examine looks at everything, in the order in which it is needed.
func Examine(ctx context.Context, o Options) Report {
	x := &examined{o: o, cfg: o.Config}
	x.configuration()
	if o.Broken == nil {
		for _, check := range []func(context.Context){x.library, x.processor, x.cards, x.models, x.ports, x.nats, x.store,
			x.disks, x.permissions, x.limits} {
			if ctx.Err() == nil {
				check(ctx)
			}
		}
	}
	r := Report{Version: o.Version, OK: true, Findings: x.findings}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Says, f.Mend = oneLine(f.Says), oneLine(f.Mend)
		r.OK = r.OK && f.Status != Fail
	}
	return r
}

func (x *examined) configuration() {
	if x.o.Broken == nil {
		x.ok("configuration", "read, and every value is one that can be")
		for _, line := range x.cfg.Notices() {
			x.add("configuration", Warn, "", "%s", line)
		}
		for _, line := range x.cfg.OldPlaces() {
			x.add("configuration", Warn, "", "%s", line)
		}
		return
	}
	var bad *config.Error
	if !errors.As(x.o.Broken, &bad) {
		x.add("configuration", Fail, "name a file that is there and can be read: -c FILE", "%v", x.o.Broken)
		return
	}
	for _, p := range bad.Problems {
		x.add("configuration", Fail, "change that, until textmill daemon --check-config says what holds", "%s", p)
	}
}

// Write gives a report to a person, or with asJSON to a program.
func (r Report) Write(out io.Writer, asJSON bool) error {
	if asJSON {
		return plain.JSON(out, r)
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(out, "%-4s  %-13s  %s\n", f.Status, f.Check, f.Says); err != nil {
			return err
		}
		if f.Mend == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "%-4s  %-13s  → %s\n", "", "", f.Mend); err != nil {
			return err
		}
	}
	return nil
}
