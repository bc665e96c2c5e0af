package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"textmill/models"
	"textmill/models/session"
	"textmill/open"
	"textmill/open/bundle"
)

const setUp = "textmill setup"

func (x *examined) library(context.Context) {
	version, path, err := open.Session(x.cfg, "").Runtime()
	switch {
	case errors.Is(err, session.ErrDevice):
		x.add("library", Fail, "textmill setup --device cuda, or runtime.device: cpu", "%v", err)
	case err != nil:
		x.add("library", Fail, setUp, "ONNX Runtime does not load: %v", err)
	default:
		x.ok("library", "ONNX Runtime %s at %s", version, path)
	}
}

func (x *examined) processor(context.Context) {
	sets := session.InstructionSets()
	x.ok("processor", "%d threads for %d processors, instruction sets %s", threadsOf(x.cfg.Runtime.Threads),
		runtime.NumCPU(), sets)
	if runtime.GOARCH == "amd64" && !strings.Contains(sets, "avx2") {
		x.add("processor", Warn, "run it on a processor of 2014 or later", "without AVX2 it is several times slower")
	}
	if n := x.cfg.Runtime.Threads; n > runtime.NumCPU() {
		x.add("processor", Warn, "runtime.threads: 0", "runtime.threads is %d, the machine has %d processors", n,
			runtime.NumCPU())
	}
}

func threadsOf(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// cards looks at cards where one is asked for, or there.
func (x *examined) cards(context.Context) {
	device := x.cfg.Runtime.Device
	for _, name := range slices.Sorted(maps.Keys(x.cfg.Models)) {
		if m := x.cfg.Models[name]; strings.HasPrefix(m.Device, "cuda:") {
			device = m.Device
		}
	}
	found, err := session.Cards()
	asked := strings.HasPrefix(device, "cuda:")
	switch {
	case device == "cpu":
		x.ok("card", "none is asked for (runtime.device: cpu)")
		return
	case err != nil && !asked || err == nil && len(found) == 0 && !asked:
		x.ok("card", "none that could be used; models run on the processor")
		return
	}
	if !asked {
		device = "cuda:0"
	}
	status := Warn // of a card that auto passes by
	if asked {
		status = Fail
	}
	e, err := session.Examine(x.cfg.Home, device)
	if err != nil {
		x.add("card", status, "runtime.device: cpu", "%s: %v", device, err)
		return
	}
	for _, m := range e.Missing {
		x.add("card", status, m.Mend, "%s", m.What)
	}
	if len(e.Missing) == 0 {
		x.ok("card", "%s, driver %s; it multiplied two matrices after %s", strings.Join(e.Cards, ", "), e.Driver, e.Trial)
	}
}

// models reads all files of the models that are served.
func (x *examined) models(ctx context.Context) {
	specs, errs := bundle.Served(x.cfg)
	for _, err := range errs {
		x.add("models", Fail, setUp+", or textmill models pull NAME", "%v", err)
	}
	if len(specs)+len(errs) == 0 {
		x.add("models", Fail, setUp, "there is none in %s", x.cfg.Home)
	}
	for _, s := range specs {
		if err := s.Verify(ctx); err != nil {
			mend := "textmill models verify " + s.Name
			if errors.Is(err, models.ErrDamaged) {
				mend = "remove " + s.Dir + " and run textmill models pull or import again, or " + setUp
			}
			x.add("models", Fail, mend, "%s: %v", s.Name, err)
			continue
		}
		x.ok("models", "%s: %s of %d files as recorded, %s, model_sha256 %.12s", s.Name, s.Task, len(s.Files), s.Precision,
			s.SHA256)
		x.company(s)
	}
}

// company tells whether a text's bits were measured to depend on its batch here.
func (x *examined) company(s *models.Spec) {
	if s.Static != nil {
		return
	}
	o, err := open.Session(x.cfg, s.Name).WithDefaults()
	if err != nil {
		return // library says why
	}
	c, known, err := session.Remembered(s, o, o.MeasuredOn(s))
	switch {
	case err != nil:
	case !known:
		x.ok("models", "%s: whether its bits depend on the batch is measured when it is first opened here", s.Name)
	case !c.Holds():
		x.add("models", Warn, "prefer another file of the model (models."+s.Name+".onnx_file)", "%s: %s", s.Name, c)
	default:
		x.ok("models", "%s: %s", s.Name, c)
	}
}

// fewFiles is how many open files a daemon of the usual number of datasets and clients wants.
const fewFiles = 1024

func (x *examined) limits(context.Context) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	if limit.Cur < fewFiles {
		x.add("limits", Warn, fmt.Sprintf("ulimit -n %d, or LimitNOFILE= of the service", 4*fewFiles),
			"%d files may be open at a time: fewer datasets and clients than asked for", limit.Cur)
		return
	}
	x.ok("limits", "%d files may be open at a time", limit.Cur)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
