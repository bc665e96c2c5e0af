package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"textmill/ground/durable"
	"textmill/ground/places"
	"textmill/models"
)

// Checkpoint puts what a known model is imported from into the home's folder checkpoints/<name>.
func Checkpoint(ctx context.Context, o Options, name string) (Installed, error) {
	m, ok := knownModels[name]
	if !ok {
		return Installed{}, fmt.Errorf("no checkpoint is pinned as %q", name)
	}
	unlock, err := o.lock(ctx, name)
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	dir := o.checkpointDir(name)
	if r, found, err := m.keptIn(ctx, dir); err != nil || found {
		return Installed{Name: name, Version: r.version, Path: dir}, err
	}
	r, err := o.obtain(ctx, name, m.routes, func(_ route, staging string) error {
		if err := errors.Join(os.Chmod(staging, 0o755), durable.SyncTree(staging), os.MkdirAll(filepath.Dir(dir), 0o755),
			os.RemoveAll(dir)); err != nil {
			return err
		}
		return durable.Move(staging, dir)
	})
	if err != nil {
		return Installed{}, err
	}
	o.say(name, r.describe(), fmt.Sprintf("obtained the checkpoint of %s from %s", name, r.describe()))
	return Installed{Name: name, Version: r.version, Source: r.describe(), Path: dir, Fresh: true}, nil
}

func (o Options) checkpointDir(name string) string {
	return places.Checkpoint(o.Home, name)
}

// keptIn finds a route whose files are all in dir.
func (m known) keptIn(ctx context.Context, dir string) (route, bool, error) {
	for _, r := range m.routes {
		if found, err := r.liesIn(ctx, dir); err != nil || found {
			return r, found, err
		}
	}
	return route{}, false, nil
}

// liesIn tells whether every file of the route is in dir, whole.
func (r route) liesIn(ctx context.Context, dir string) (bool, error) {
	for _, p := range r.parts {
		for _, f := range p.pins {
			sum, _, err := models.HashFile(ctx, filepath.Join(dir, filepath.FromSlash(f.to)))
			if errors.Is(err, fs.ErrNotExist) || err == nil && sum != f.sha256 {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	return true, nil
}
