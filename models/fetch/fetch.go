// Package fetch obtains ONNX Runtime and models, pinned by SHA-256, from whatever source answers first.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"textmill/ground/flock"
	"textmill/ground/places"
)

// Options say where to put things and who hears of it.
type Options struct {
	// Home is $TEXTMILL_HOME.
	Home string
	// Progress hears of every step; nil for nobody. It is called from one goroutine at a time.
	Progress func(Progress)
}

// Progress is one step, or how far a download is.
type Progress struct {
	Artifact string // libonnxruntime, or a model's name
	Source   string // "" for steps of no source
	Message  string // "" when only Done moved
	// Done and Total count bytes; Total is 0 when unknown.
	Done, Total int64
}

// Installed says what is in place and where it came from.
type Installed struct {
	Name, Version, Source, Path string
	// Fresh is false when it had been there before.
	Fresh bool
}

// Setup obtains the library and the default models, and tells what is in place. What is there already is verified and
// kept.
func Setup(ctx context.Context, o Options) ([]Installed, error) {
	library, err := Library(ctx, o)
	if err != nil {
		return nil, err
	}
	all := []Installed{library}
	for _, name := range DefaultModels {
		m, err := Model(ctx, o, name)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

// errUnavailable is the class of sources that cannot be asked at all here; the next one is tried without ado.
var errUnavailable = errors.New("not available")

// errPlace is the class of failures after a source has delivered: another one would not help.
var errPlace = errors.New("put into place")

// obtain tries routes in order until one has put all of its files into a staging folder and place has taken them from
// there.
func (o Options) obtain(ctx context.Context, artifact string, routes []route,
	place func(r route, staging string) error) (route, error) {
	var failures []error
	for _, r := range routes {
		if r.platform != "" && r.platform != runtime.GOOS+"/"+runtime.GOARCH {
			continue
		}
		err := o.try(ctx, artifact, r, place)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return route{}, ctx.Err()
		}
		if errors.Is(err, errPlace) || errors.Is(err, unix.ENOSPC) {
			return route{}, fmt.Errorf("obtain %s from %s: %w", artifact, r.describe(), err)
		}
		failures = append(failures, fmt.Errorf("%s: %w", r.describe(), err))
		o.say(artifact, r.describe(), "did not answer, trying the next source")
	}
	if len(failures) == 0 {
		return route{}, fmt.Errorf("obtain %s: no pinned source for %s/%s; put one into place by hand", artifact,
			runtime.GOOS, runtime.GOARCH)
	}
	return route{}, fmt.Errorf("obtain %s: no source answered:\n%w", artifact, errors.Join(failures...))
}

func (o Options) try(ctx context.Context, artifact string, r route, place func(r route, staging string) error) error {
	downloads := places.Downloads(o.Home)
	staging, err := os.MkdirTemp(downloads, "staging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	var spent []string
	for _, p := range r.parts {
		j := job{options: o, artifact: artifact, dir: downloads}
		container, err := j.container(ctx, p)
		if err != nil {
			return err
		}
		if err := unpack(ctx, container, p.pins, staging); err != nil {
			return fmt.Errorf("%s %s: %w", p.name, p.version, err)
		}
		spent = append(spent, container)
	}
	if err := place(r, staging); err != nil {
		return fmt.Errorf("%w: %w", errPlace, err)
	}
	for _, container := range spent {
		if err := os.RemoveAll(container); err != nil {
			return err
		}
	}
	return nil
}

func (r route) describe() string {
	var parts []string
	for _, p := range r.parts {
		parts = append(parts, fmt.Sprintf("%s %s %s", p.from, p.name, p.version))
	}
	return strings.Join(parts, " + ")
}

func (o Options) say(artifact, source, message string) {
	o.report(Progress{Artifact: artifact, Source: source, Message: message})
}

func (o Options) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// lock lets one process at a time obtain things for a home.
func (o Options) lock(ctx context.Context, artifact string) (unlock func(), err error) {
	dir := places.Downloads(o.Home)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := flock.Wait(ctx, filepath.Join(dir, ".lock"), 0o644, func() {
		o.say(artifact, "", "waiting for another textmill that is obtaining files")
	})
	if err != nil {
		return nil, err
	}
	if err := o.sweep(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // nothing was written
}

// sweep removes what a killed process was working in. The caller holds the lock.
func (o Options) sweep() error {
	var errs []error
	for _, pattern := range []string{"staging-*", "client-*"} {
		left, err := filepath.Glob(filepath.Join(places.Downloads(o.Home), pattern))
		errs = append(errs, err)
		for _, dir := range left {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}
