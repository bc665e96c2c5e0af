package input

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"textmill/export/storage"
	"textmill/jobs"
)

// InBucket says whether a name is one of objects, and not of a file.
func InBucket(name string) bool { return strings.HasPrefix(name, "s3://") }

// borderWindow is how much is read of an object to find where a record ends.
const borderWindow = 16 << 10

// Refer calls each with references to parts of objects, of about so many bytes where they are lines. A name is that of
// an object, a prefix that ends in a slash, for all below it, or a pattern of path.Match. Keys of which a part begins
// with a dot or an underscore are left out of both, and so are empty objects.
func Refer(ctx context.Context, names []string, about int64, o Options, each func(*jobs.Input) error) error {
	buckets := objects{}
	for _, name := range names {
		if err := refer(ctx, &buckets, name, about, o, each); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), buckets.close())
		}
	}
	return buckets.close()
}

func refer(ctx context.Context, buckets *objects, name string, about int64, o Options,
	each func(*jobs.Input) error) error {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
	b, err := buckets.bucket(bucket)
	if err != nil {
		return err
	}
	keys, err := keysOf(b, key)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := cutObject(b, bucket, key, about, o, each); err != nil {
			return err
		}
	}
	return nil
}

// keysOf are the keys that a name in a bucket stands for.
func keysOf(b *storage.Objects, key string) ([]string, error) {
	if key == "" || strings.HasSuffix(key, "/") || strings.ContainsAny(key, "*?[") {
		return listed(b, key)
	}
	return []string{key}, nil
}

// listed are the keys that a prefix or a pattern stands for.
func listed(b *storage.Objects, pattern string) (keys []string, err error) {
	prefix, matched := pattern, false
	if i := strings.IndexAny(pattern, "*?["); i >= 0 {
		prefix, matched = pattern[:i], true
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, err
		}
	}
	fixed := prefix[:strings.LastIndexByte(prefix, '/')+1]
	err = b.List(prefix, func(key string) bool {
		fits := true
		if matched {
			fits, _ = path.Match(pattern, key) // the pattern was looked at
		}
		rest := "/" + key[len(fixed):]
		if fits && !strings.HasSuffix(key, "/") && !strings.Contains(rest, "/.") && !strings.Contains(rest, "/_") {
			keys = append(keys, key)
		}
		return true
	})
	if err == nil && len(keys) == 0 {
		err = ErrNoFiles
	}
	return keys, err
}

func cutObject(b *storage.Objects, bucket, key string, about int64, o Options, each func(*jobs.Input) error) error {
	format, err := formatOf(key, o)
	if err != nil {
		return err
	}
	f, err := b.Open(key, borderWindow)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; all objects below a prefix are named by it with / at its end: %w", ErrNoFiles, err)
	}
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil || st.Size == 0 {
		return err
	}
	whole := jobs.Input{URI: "s3://" + bucket + "/" + key, Format: format, Size: st.Size, ETag: st.Tag,
		TextColumn: o.TextColumn, IDColumn: o.IDColumn}
	if err := whole.Check(); err != nil {
		return err
	}
	if err := cutInput(f, whole, about, each); err != nil {
		return inObject(&whole, err)
	}
	return nil
}
