package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"textmill/models"
)

// Model puts a model that textmill knows by name into place, under that name.
func Model(ctx context.Context, o Options, name string) (Installed, error) {
	return o.model(ctx, name, name)
}

func (o Options) model(ctx context.Context, known, name string) (Installed, error) {
	routes, ok := pinned[known]
	if !ok {
		return Installed{}, fmt.Errorf("no model is pinned as %q", known)
	}
	unlock, err := o.lock(ctx, name)
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	dir := models.BundleDir(o.Home, name)
	there, err := installedModel(ctx, dir)
	if err != nil || there.Version != "" {
		if err == nil {
			o.say(name, there.Source, fmt.Sprintf("model %s is in place", name))
		}
		return there, err
	}
	r, err := o.obtain(ctx, name, routes, func(r route, staging string) error {
		return placeBundle(ctx, staging, dir, r.describe())
	})
	if err != nil {
		return Installed{}, err
	}
	o.say(name, r.describe(), fmt.Sprintf("installed model %s from %s", name, r.describe()))
	return Installed{Name: name, Version: r.version, Source: r.describe(), Path: dir, Fresh: true}, nil
}

// installedModel is what lies in dir if it is whole, zero if it must be obtained. A whole bundle from elsewhere is somebody's
// choice and stays.
func installedModel(ctx context.Context, dir string) (Installed, error) {
	record, err := models.ReadRecord(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Installed{}, nil
	}
	if err != nil {
		return Installed{}, err
	}
	spec, err := models.OpenBundle(dir)
	if err == nil {
		err = spec.Verify(ctx)
	}
	if errors.Is(err, models.ErrDamaged) || errors.Is(err, models.ErrBundle) {
		return Installed{}, nil
	}
	if err != nil {
		return Installed{}, err
	}
	return Installed{Name: spec.Name, Version: spec.SHA256, Source: record.Source, Path: dir}, nil
}

// placeBundle records what is staged and moves it to dir: as a whole where nothing is there, else file by file with the record
// last, so that a bundle with a record is complete at any moment.
func placeBundle(ctx context.Context, staging, dir, source string) error {
	files, err := models.HashBundle(ctx, staging)
	if err != nil {
		return err
	}
	if err := models.WriteRecord(staging, models.Record{Name: filepath.Base(dir), Source: source, Files: files}); err != nil {
		return err
	}
	if _, err := models.OpenBundle(staging); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(staging, 0o755), os.MkdirAll(filepath.Dir(dir), 0o755)); err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(staging, dir); err != nil {
			return err
		}
		return syncDir(filepath.Dir(dir))
	}
	if err := os.Remove(filepath.Join(dir, models.RecordName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range append(files, models.File{Path: models.RecordName}) {
		to := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(staging, filepath.FromSlash(f.Path)), to); err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(to)); err != nil {
			return err
		}
	}
	return nil
}

// Pull puts a model into place under name: one that textmill knows by name, or a repository of the hub ("owner/name",
// "owner/name@revision"). name "" derives one from the repository's.
func Pull(ctx context.Context, o Options, model, name string) (Installed, error) {
	if name == "" {
		name = DeriveName(model)
	}
	if !models.ValidName(name) {
		return Installed{}, fmt.Errorf("model name %q: only letters, digits, _ and - may be in it; choose one with --name", name)
	}
	if _, ok := pinned[model]; ok {
		return o.model(ctx, model, name)
	}
	if strings.Count(model, "/") != 1 {
		return Installed{}, fmt.Errorf("model %q is neither a repository (owner/name) nor one of %s", model, strings.Join(Known(), ", "))
	}
	return o.pullRepository(ctx, model, name)
}

// Known are the models that are pinned by name.
func Known() []string {
	var names []string
	for name := range pinned {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// DeriveName makes a model's name of its repository's: the last part, with - for what a name may not have.
func DeriveName(model string) string {
	model, _, _ = strings.Cut(model, "@")
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, model[strings.LastIndexByte(model, '/')+1:])
}
