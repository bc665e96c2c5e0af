package storage

import (
	"github.com/minio/minio-go/v7"

	"textmill/export/disk"
)

// Objects are what lies in a bucket that is only read.
type Objects struct{ root object }

// OpenObjects reaches a bucket with the address and credentials by which tables in buckets are reached.
func OpenObjects(bucket string) (*Objects, error) {
	b, err := openBucket("s3://"+bucket, "", disk.Options{})
	if err != nil {
		return nil, err
	}
	return &Objects{object{b: b, root: true}}, nil
}

// Close gives idle connections back.
func (o *Objects) Close() error { return o.root.Close() }

// Open asks for an object's size and version only. What is read afterwards is of that version, window bytes a request
// where fewer are asked for, or fails: with os.ErrExist where the object is another one by now.
func (o *Objects) Open(key string, window int64) (File, error) {
	f, err := o.root.OpenRanges(key)
	if err != nil {
		return nil, err
	}
	r := f.(*ranges)
	r.least = window
	return r, nil
}

// List calls each with the keys that begin with a prefix, in their order, until it returns false.
func (o *Objects) List(prefix string, each func(key string) bool) error {
	return o.root.list(minio.ListObjectsOptions{Prefix: prefix, Recursive: true}, each)
}
