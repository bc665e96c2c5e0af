package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"textmill/export/storage"
)

// Stream is the name of a stream among those of files and objects.
const Stream = "-"

// Each calls each with the records of files, of objects (s3://bucket/key, a prefix that ends in a slash, for all below
// it, or a pattern of path.Match) and of the stream that "-" names, in the order of the names. An object that changes
// while it is read is an error. What each gets is its own.
func Each(ctx context.Context, names []string, stream io.Reader, o Options, each func(Item) error) (err error) {
	buckets := objects{}
	defer func() { err = errors.Join(err, buckets.close()) }()
	for _, name := range names {
		switch {
		case name == Stream:
			err = through(ctx, "standard input", each, func() (*Reader, error) { return NewReader(stream, o) })
		case InBucket(name):
			err = eachObject(ctx, &buckets, name, o, each)
		default:
			err = through(ctx, name, each, func() (*Reader, error) { return Open(name, o) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eachObject(ctx context.Context, buckets *objects, name string, o Options, each func(Item) error) error {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
	b, err := buckets.bucket(bucket)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	keys, err := keysOf(b, key)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, key := range keys {
		whole := "s3://" + bucket + "/" + key
		err := through(ctx, whole, each, func() (*Reader, error) {
			r, err := openStored(b, key, o)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", whole, err)
			}
			return r, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// openStored reads a whole object.
func openStored(b *storage.Objects, key string, o Options) (*Reader, error) {
	f, err := b.Open(key, objectWindow)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; all objects below a prefix are named by it with / at its end: %w", ErrNoFiles, err)
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return newReader(io.NewSectionReader(f, 0, st.Size), key, o)
}

func through(ctx context.Context, name string, each func(Item) error, open func() (*Reader, error)) (err error) {
	r, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		var it Item
		switch err := r.Next(&it); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := each(it); err != nil {
			return err
		}
	}
}
