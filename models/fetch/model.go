package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"textmill/ground/durable"
	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
)

// Model makes a model that textmill knows by name, under that name.
func Model(ctx context.Context, o Options, name string) (Installed, error) {
	return o.model(ctx, name, name)
}

func (o Options) model(ctx context.Context, knownAs, name string) (Installed, error) {
	m, ok := knownModels[knownAs]
	if !ok {
		return Installed{}, fmt.Errorf("textmill knows no model %q", knownAs)
	}
	return o.make(ctx, m, o.checkpointDir(knownAs), name)
}

// make puts a model into place under name, of the checkpoint in the folder kept if it is whole, else of one that a
// source delivers and that goes when the bundle is there.
func (o Options) make(ctx context.Context, m known, kept, name string) (Installed, error) {
	unlock, err := o.lock(ctx, name)
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	there, err := installedModel(ctx, places.Model(o.Home, name))
	if err != nil || there.Version != "" {
		if err == nil {
			o.say(name, there.Source, fmt.Sprintf("model %s is in place", name))
		}
		return there, err
	}
	build := func(r route, dir string) error { return o.importModel(ctx, m, name, dir, r.describe()) }
	r, found, err := m.keptIn(ctx, kept)
	switch {
	case err != nil:
	case found:
		err = build(r, kept)
	default:
		r, err = o.obtain(ctx, name, m.routes, build)
	}
	if err != nil {
		return Installed{}, err
	}
	o.say(name, r.describe(), fmt.Sprintf("installed model %s from %s", name, r.describe()))
	return Installed{Name: name, Version: r.version, Source: r.describe(), Path: places.Model(o.Home, name), Fresh: true},
		nil
}

// importModel makes a bundle of the checkpoint in dir. One of that name is damaged, or Model would have kept it.
func (o Options) importModel(ctx context.Context, m known, name, dir, source string) error {
	o.say(name, source, "importing the checkpoint as "+m.precision)
	_, err := checkpoint.Import(ctx, checkpoint.Options{
		Source: filepath.Join(dir, m.file), Dir: filepath.Dir(places.Model(o.Home, name)), Name: name,
		Precision: m.precision,
		Origin:    source, Replace: true,
		Progress: func(done, total int64) {
			o.report(Progress{Artifact: name, Source: "importing", Done: done, Total: total})
		},
	})
	return err
}

// installedModel is what lies in dir if it is whole, zero if it must be obtained. A whole bundle from elsewhere is
// somebody's choice and stays.
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

// placeBundle records what is staged and moves it to dir: as a whole where nothing is there, else file by file with
// the record last, so that a bundle with a record is complete at any moment.
func placeBundle(ctx context.Context, staging, dir, source string) error {
	hashed, err := models.HashBundle(ctx, staging)
	if err != nil {
		return err
	}
	if err := models.WriteRecord(staging, models.Record{Name: filepath.Base(dir), Source: source,
		Files: hashed}); err != nil {
		return err
	}
	if _, err := models.OpenBundle(staging); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(staging, 0o755), durable.SyncTree(staging),
		os.MkdirAll(filepath.Dir(dir), 0o755)); err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return durable.Move(staging, dir)
	}
	if err := os.Remove(filepath.Join(dir, models.RecordName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range append(hashed, models.File{Path: models.RecordName}) {
		to := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := durable.Move(filepath.Join(staging, filepath.FromSlash(f.Path)), to); err != nil {
			return err
		}
	}
	return nil
}

// Pull puts a model into place under name: one that textmill knows by name, or a repository of the hub ("owner/name",
// "owner/name@revision"). name "" derives one from the repository's. A repository without an ONNX file, and one that
// textmill knows by name, is imported from its checkpoint.
func Pull(ctx context.Context, o Options, model, name string) (Installed, error) {
	if name == "" {
		name = DeriveName(model)
	}
	if err := naming.CheckModel(name); err != nil {
		return Installed{}, fmt.Errorf("the model's name %w; choose one with --name", err)
	}
	if _, ok := knownModels[model]; ok {
		return o.model(ctx, model, name)
	}
	if short, revision, _ := strings.Cut(model, "@"); !strings.Contains(short, "/") {
		known, ok := named(short)
		switch {
		case !ok:
			return Installed{}, fmt.Errorf(
				"model %q is neither a repository (owner/name) nor a name that textmill knows; textmill models list --known lists those",
				model)
		case !known.Runs():
			return Installed{}, fmt.Errorf("pull %s: %w: %s is of the kind %q, which cannot be imported yet", model,
				checkpoint.ErrUnsupported, known.Repository, known.Kind)
		}
		return o.pullRepository(ctx, known.Repository, revision, name, true)
	}
	if strings.Count(model, "/") != 1 {
		return Installed{}, fmt.Errorf("model %q is no repository (owner/name)", model)
	}
	repository, revision, _ := strings.Cut(model, "@")
	return o.pullRepository(ctx, repository, revision, name, false)
}

// DeriveName makes a model's name of its repository's: the last part, with - for what a name may not have.
func DeriveName(model string) string {
	model, _, _ = strings.Cut(model, "@")
	return naming.Dashed(model[strings.LastIndexByte(model, '/')+1:])
}
