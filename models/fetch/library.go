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
	"textmill/ground/places"
	"textmill/models"
)

// Library puts ONNX Runtime into the home's lib folder. lib/VERSION says which it is: its version, its hash and its
// source, a line each.
func Library(ctx context.Context, o Options) (Installed, error) {
	unlock, err := o.lock(ctx, runtimeName)
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	path := places.Library(o.Home)
	if there, err := installedLibrary(ctx, path); err != nil || there.Version != "" {
		if err == nil {
			o.say(there.Name, there.Source, fmt.Sprintf("%s %s is in place", there.Name, there.Version))
		}
		return there, err
	}
	version := ""
	r, err := o.obtain(ctx, runtimeName, library, func(r route, staging string) error {
		staged := filepath.Join(staging, runtimeName)
		sum, _, err := models.HashFile(ctx, staged)
		if err != nil {
			return err
		}
		version = fmt.Sprintf("%s\n%s\n%s\n", r.version, sum, r.describe())
		stagedVersion := filepath.Join(staging, "VERSION")
		if err := errors.Join(durable.Write(stagedVersion, []byte(version), 0o644), os.Chmod(staged, 0o755),
			os.MkdirAll(filepath.Dir(path), 0o755)); err != nil {
			return err
		}
		if err := durable.Move(staged, path); err != nil {
			return err
		}
		return durable.Move(stagedVersion, versionPath(path))
	})
	if err != nil {
		return Installed{}, err
	}
	o.say(runtimeName, r.describe(), fmt.Sprintf("installed %s %s from %s", runtimeName, r.version, r.describe()))
	return Installed{Name: runtimeName, Version: r.version, Source: r.describe(), Path: path, Fresh: true}, nil
}

func versionPath(library string) string { return filepath.Join(filepath.Dir(library), "VERSION") }

// installedLibrary is what lies at path if it is whole, zero if it must be obtained.
func installedLibrary(ctx context.Context, path string) (Installed, error) {
	text, err := os.ReadFile(versionPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return Installed{}, nil
	}
	if err != nil {
		return Installed{}, err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 3 {
		return Installed{}, nil
	}
	sum, _, err := models.HashFile(ctx, path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && sum != lines[1] {
		return Installed{}, nil
	}
	return Installed{Name: runtimeName, Version: lines[0], Source: lines[2], Path: path}, err
}
