package fetch

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// unpack writes the pinned files of a container under dir, each verified and synced.
func unpack(ctx context.Context, container string, pins []pin, dir string) error {
	st, err := os.Stat(container)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return unpackFolder(ctx, container, pins, dir)
	}
	z, err := zip.OpenReader(container)
	if errors.Is(err, zip.ErrFormat) {
		return unpackTar(ctx, container, pins, dir)
	}
	if err != nil {
		return err
	}
	defer z.Close()
	for _, p := range pins {
		member, err := z.Open(p.in)
		if err != nil {
			return fmt.Errorf("file %s: %w", p.in, err)
		}
		if err := errors.Join(write(ctx, member, p, dir), member.Close()); err != nil {
			return err
		}
	}
	return nil
}

func unpackFolder(ctx context.Context, folder string, pins []pin, dir string) error {
	for _, p := range pins {
		f, err := os.Open(filepath.Join(folder, filepath.FromSlash(p.in)))
		if err != nil {
			return err
		}
		if err := errors.Join(write(ctx, f, p, dir), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func unpackTar(ctx context.Context, container string, pins []pin, dir string) error {
	f, err := os.Open(container)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s is neither zip nor gzip: %w", container, err)
	}
	want := map[string]pin{}
	for _, p := range pins {
		want[p.in] = p
	}
	for t := tar.NewReader(z); len(want) > 0; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", container, err)
		}
		name := filepath.ToSlash(filepath.Clean(h.Name))
		p, ok := want[name]
		if !ok {
			continue
		}
		if err := write(ctx, t, p, dir); err != nil {
			return err
		}
		delete(want, name)
	}
	for name := range want {
		return fmt.Errorf("the archive holds no %s", name)
	}
	return nil
}

// write copies r to the pin's place. A pin without a hash relies on its container's.
func write(ctx context.Context, r io.Reader, p pin, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.FromSlash(p.to))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), r)
	if err := errors.Join(err, cmp.Or(f.Sync(), f.Close())); err != nil {
		return fmt.Errorf("unpack %s: %w", p.in, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); p.sha256 != "" && sum != p.sha256 {
		return mismatch(p.in, sum, p.sha256)
	}
	return nil
}
