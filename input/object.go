package input

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"textmill/export/storage"
	"textmill/jobs"
)

// objectWindow is how much of an object is asked for at a time: a connection to a bucket pays for each request.
const objectWindow = 1 << 20

// objects are the parts of buckets that may be read.
type objects struct {
	allowed []allowed

	mu      sync.Mutex
	buckets map[string]*storage.Objects
}

// allowed is a bucket, or what begins with a prefix in it.
type allowed struct{ bucket, prefix string }

func parseAllowed(uris []string) (all []allowed, err error) {
	for _, uri := range uris {
		rest, ok := strings.CutPrefix(uri, "s3://")
		bucket, prefix, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
		if !ok || bucket == "" || strings.ContainsAny(bucket, "*?[") {
			return nil, fmt.Errorf("%q is not s3://bucket or s3://bucket/prefix", uri)
		}
		all = append(all, allowed{bucket, prefix})
	}
	return all, nil
}

// holds says whether an object may be read: a prefix ends where a part of a key does.
func (a allowed) holds(bucket, key string) bool {
	return a.bucket == bucket && (a.prefix == "" || key == a.prefix || strings.HasPrefix(key, a.prefix+"/"))
}

// openObject reads what an input says of an object, by ranges and of that version only.
func (r *Roots) openObject(in *jobs.Input, o Options) (*Reader, error) {
	bucket, key, err := in.Object()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInputForbidden, err)
	}
	f, err := r.objects.open(bucket, key)
	if err != nil {
		return nil, inObject(in, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if tag := strings.Trim(in.ETag, `"`); st.Tag != tag || st.Size != in.Size {
		return nil, fmt.Errorf("%w: %s has ETag %s and %d bytes, the job was made when it had %s and %d", ErrInputChanged,
			in.URI, st.Tag, st.Size, tag, in.Size)
	}
	reader, err := openInput(f, st.Size, in, o)
	if err != nil {
		return nil, inObject(in, err)
	}
	reader.src = objectSource{reader.src, in}
	return reader, nil
}

func (o *objects) open(bucket, key string) (storage.File, error) {
	may := false
	for _, a := range o.allowed {
		may = may || a.holds(bucket, key)
	}
	if !may {
		return nil, fmt.Errorf("%w (add s3://%s, or a prefix in it, to input.allow)", ErrInputForbidden, bucket)
	}
	b, err := o.bucket(bucket)
	if err != nil {
		return nil, err
	}
	return b.Open(key, objectWindow)
}

func (o *objects) bucket(name string) (b *storage.Objects, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b = o.buckets[name]; b != nil {
		return b, nil
	}
	if b, err = storage.OpenObjects(name); err != nil {
		return nil, err
	}
	if o.buckets == nil {
		o.buckets = map[string]*storage.Objects{}
	}
	o.buckets[name] = b
	return b, nil
}

func (o *objects) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, b := range o.buckets {
		errs = append(errs, b.Close())
	}
	o.buckets = nil
	return errors.Join(errs...)
}

// objectSource gives what fails while an object is read its class.
type objectSource struct {
	source
	in *jobs.Input
}

func (s objectSource) next(it *Item) error { return inObject(s.in, s.source.next(it)) }

func inObject(in *jobs.Input, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist): // the answer to a read of a version that is gone
		return fmt.Errorf("%w: %s is another version than the job was made of (ETag %s): %w", ErrInputChanged, in.URI,
			in.ETag, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s: %w", ErrInputMissing, in.URI, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s: the daemon's credentials may not read it: %w", ErrInputForbidden, in.URI, err)
	case errors.Is(err, ErrInputForbidden), errors.Is(err, ErrFormat), errors.Is(err, ErrInputRange):
		return fmt.Errorf("%s: %w", in.URI, err)
	}
	return err
}
