package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"textmill/export/disk"
)

// object is what begins with key in a bucket.
type object struct {
	b    *bucket
	key  string
	root bool
}

func (o *object) Path() string {
	path := "s3://" + o.b.name
	if o.key != "" {
		path += "/" + o.key
	}
	return path
}

// Close gives idle connections back when o is the root. Operations end in any case.
func (o *object) Close() error {
	if o.root {
		o.b.transport.CloseIdleConnections()
	}
	return nil
}

// at is the key of a name in o.
func (o *object) at(name string) string {
	if o.key == "" {
		return name
	}
	return o.key + "/" + name
}

func (o *object) Sub(name string) (Dir, error)     { return &object{b: o.b, key: o.at(name)}, nil }
func (o *object) MakeSub(name string) (Dir, error) { return o.Sub(name) }
func (o *object) Current() (bool, error)           { return true, nil }
func (o *object) Remote() bool                     { return true }

// A put is durable when it is answered.
func (o *object) Sync() error           { return nil }
func (o *object) SyncFile(string) error { return nil }
func (o *object) SyncAll() error        { return nil }

func (o *object) Stage() (*disk.Dir, error)     { return disk.OpenDir(o.stage(), o.b.on) }
func (o *object) MakeStage() (*disk.Dir, error) { return disk.MakeRoot(o.stage(), o.b.on) }

func (o *object) stage() string {
	return Join(o.b.scratch, strings.TrimPrefix(strings.TrimPrefix(o.key, o.b.prefix), "/"))
}

// Names lists objects, and what further slashes set apart.
func (o *object) Names(after string) ([]string, error) {
	prefix := o.at("")
	options := minio.ListObjectsOptions{Prefix: prefix}
	if after != "" {
		options.StartAfter = prefix + after
	}
	var names []string
	err := o.list(options, func(key string) bool {
		if name := strings.TrimSuffix(key[len(prefix):], "/"); name != "" {
			names = append(names, name)
		}
		return true
	})
	return names, err
}

// list calls each with keys, until it returns false.
func (o *object) list(options minio.ListObjectsOptions, each func(key string) bool) error {
	return o.b.call(disk.OpReadDir, o.Path(), ".", 0, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for info := range o.b.client.ListObjects(ctx, o.b.name, options) {
			if info.Err != nil {
				return info.Err
			}
			if !each(info.Key) {
				return nil
			}
		}
		return ctx.Err()
	})
}

// Stat looks at an object, or at what lies below the name.
func (o *object) Stat(name string) (disk.Stat, error) {
	var st disk.Stat
	err := o.b.call(disk.OpStat, o.Path(), name, 0, func(ctx context.Context) error {
		info, err := o.b.client.StatObject(ctx, o.b.name, o.at(name), minio.StatObjectOptions{})
		st = statOf(info)
		return err
	})
	if !errors.Is(err, os.ErrNotExist) {
		return st, err
	}
	below := false
	listErr := o.list(minio.ListObjectsOptions{Prefix: o.at(name) + "/", MaxKeys: 1}, func(string) bool {
		below = true
		return false
	})
	if listErr != nil || !below {
		return disk.Stat{}, errors.Join(err, listErr)
	}
	return disk.Stat{Mode: os.ModeDir}, nil
}

func statOf(info minio.ObjectInfo) disk.Stat {
	return disk.Stat{Size: info.Size, ModTime: info.LastModified, Changed: info.LastModified, Tag: info.ETag}
}

// Link is a put that only the first can win. An error other than os.ErrExist says nothing: the server may have done
// it, or may do it yet, so that only an object of that name decides.
func (o *object) Link(stage *disk.Dir, temp, name string) error {
	err := o.upload(disk.OpLink, stage, temp, name, true)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return err
}

func (o *object) Place(stage *disk.Dir, temp, name string) error {
	if err := o.upload(disk.OpRename, stage, temp, name, false); err != nil {
		return err
	}
	return stage.Unlink(temp)
}

func (o *object) upload(kind disk.Kind, stage *disk.Dir, temp, name string, first bool) error {
	f, err := stage.Open(temp)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return o.put(kind, name, f, st.Size(), first)
}

// put sends the whole content in one request, which the server carries out whole or not at all.
func (o *object) put(kind disk.Kind, name string, content io.ReadSeeker, size int64, first bool) error {
	options := minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/octet-stream"}
	if first {
		options.SetMatchETagExcept("*")
	}
	return o.b.call(kind, o.Path(), name, size, func(ctx context.Context) error {
		done, err := o.b.client.PutObject(ctx, o.b.name, o.at(name), content, size, options)
		if err == nil && done.Size != size {
			return fmt.Errorf("%d of %d bytes were sent", done.Size, size)
		}
		return err
	})
}

func (o *object) Unlink(name string) error {
	return o.b.call(disk.OpUnlink, o.Path(), name, 0, func(ctx context.Context) error {
		return o.b.client.RemoveObject(ctx, o.b.name, o.at(name), minio.RemoveObjectOptions{})
	})
}

// inMemory is up to which size an object is read into memory; a larger one goes through a file of this machine.
const inMemory = 1 << 20

// Open reads the whole object before it returns: what is read is one version of it, and many small reads cost nothing.
func (o *object) Open(name string) (File, error) {
	var f *objectFile
	var err error
	for range 3 { // a connection may break amid the content, which the client does not try again
		var broken bool
		f, broken, err = o.open(name)
		if !broken {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (o *object) open(name string) (f *objectFile, broken bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	deadline := time.AfterFunc(patience(0), cancel)
	defer deadline.Stop()
	err = o.b.on.Hook.Do(&disk.Op{Kind: disk.OpOpen, Dir: o.Path(), Name: name}, func() error {
		core := minio.Core{Client: o.b.client}
		body, info, _, err := core.GetObject(ctx, o.b.name, o.at(name), minio.GetObjectOptions{})
		if err != nil {
			return classify(err)
		}
		defer body.Close()
		deadline.Reset(patience(info.Size))
		f = &objectFile{name: o.Path() + "/" + name, stat: statOf(info)}
		err = f.fill(body, o.b)
		broken = err != nil
		return err
	})
	return f, broken, err
}

// objectFile is an object's content.
type objectFile struct {
	io.Reader
	io.ReaderAt
	name string
	stat disk.Stat
	file *os.File // without a name; nil for content in memory
}

func (f *objectFile) fill(body io.Reader, b *bucket) error {
	if f.stat.Size <= inMemory {
		data, err := io.ReadAll(io.LimitReader(body, inMemory+1))
		if err == nil && int64(len(data)) != f.stat.Size {
			err = io.ErrUnexpectedEOF
		}
		r := bytes.NewReader(data)
		f.Reader, f.ReaderAt = r, r
		return err
	}
	if err := os.MkdirAll(b.scratch, cmp.Or(b.on.Dirs, disk.DirMode)); err != nil {
		return err
	}
	file, err := os.CreateTemp(b.scratch, "download-*")
	if err != nil {
		return err
	}
	err = os.Remove(file.Name()) // it lives as long as it is open
	n, copyErr := io.Copy(file, body)
	if copyErr == nil && n != f.stat.Size {
		copyErr = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, copyErr); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.Reader, f.ReaderAt, f.file = file, file, file
	return nil
}

func (f *objectFile) Name() string             { return f.name }
func (f *objectFile) Stat() (disk.Stat, error) { return f.stat, nil }

func (f *objectFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
