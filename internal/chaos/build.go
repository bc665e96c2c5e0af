package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/session"
)

// Build makes what a campaign needs in dir, and starts the S3 server, until Close: textmill with crash points,
// nats-server, the model and its references. root is the source tree; overlay, unless it is empty, is a file for the
// compiler that puts other sources in the place of some.
func Build(ctx context.Context, root, dir, overlay string) (*Campaign, error) {
	c := &Campaign{
		Binary: filepath.Join(dir, "textmill"), NATS: filepath.Join(dir, "nats-server"), Home: filepath.Join(dir, "home"),
		Dir:    filepath.Join(dir, "cells"),
		Python: os.Getenv("TEXTMILL_TEST_PYTHON"),
	}
	if c.Python == "" {
		c.Python = filepath.Join(root, ".cache", "venv", "bin", "python")
	}
	if _, err := os.Stat(c.Python); err != nil {
		return nil, fmt.Errorf("%w; run make test, which makes it", err)
	}
	if err := c.BuildBinary(ctx, root, overlay); err != nil {
		return nil, err
	}
	if err := goBuild(ctx, root, "-o", c.NATS, "github.com/nats-io/nats-server/v2"); err != nil {
		return nil, err
	}
	if err := c.openHome(ctx, root); err != nil {
		return nil, err
	}
	return c, c.openBucket(root)
}

// BuildBinary builds textmill with crash points.
func (c *Campaign) BuildBinary(ctx context.Context, root, overlay string) error {
	args := []string{"-tags", "crashpoints", "-o", c.Binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	return goBuild(ctx, root, append(args, "textmill/cmd/textmill")...)
}

func goBuild(ctx context.Context, root string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-ldflags=-s -w"}, args...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// openHome has the library that `textmill setup` obtained and the tiny model.
func (c *Campaign) openHome(ctx context.Context, root string) (err error) {
	shared, err := places.Home()
	if err != nil {
		return err
	}
	lib := filepath.Dir(places.Library(shared))
	if _, err := os.Stat(lib); err != nil {
		return fmt.Errorf("%w; run make setup", err)
	}
	if err := errors.Join(os.MkdirAll(c.Home, 0o755), os.Symlink(lib, filepath.Dir(places.Library(c.Home)))); err != nil {
		return err
	}
	if c.Refs, err = MakeModel(ctx, root, c.Home, c.Python); err != nil {
		return err
	}
	if c.Texts, err = MakeWriter(ctx, root, c.Home, c.Python); err != nil {
		return err
	}
	return errors.Join(c.spare(trapModel), c.spare(trapWriter))
}

// sessionThreads is how many threads a model of a daemon computes with.
const sessionThreads = 1

// spare keeps daemons from probing a model whose tokens are traps: its arithmetic is looking up, the same in every
// company.
func (c *Campaign) spare(name string) error {
	spec, err := models.OpenBundle(places.Model(c.Home, name))
	if err != nil {
		return err
	}
	o := session.Options{Home: c.Home, Device: "cpu", Threads: sessionThreads}
	if _, _, err := session.Remembered(spec, o, "cpu"); err != nil {
		return err
	}
	return session.Remember(spec, o, "cpu", session.Company{Runs: session.Any, Prefill: session.Any})
}
