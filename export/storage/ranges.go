package storage

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"

	"textmill/export/disk"
)

// OpenRanges is Open.
func (l local) OpenRanges(name string) (File, error) { return l.Open(name) }

// OpenRanges asks for the object's size only; what is read afterwards is of that very object, or fails.
func (o *object) OpenRanges(name string) (File, error) {
	var st disk.Stat
	err := o.b.call(disk.OpOpen, o.Path(), name, 0, func(ctx context.Context) error {
		info, err := o.b.client.StatObject(ctx, o.b.name, o.at(name), minio.StatObjectOptions{})
		st = statOf(info)
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &ranges{o: o, name: name, stat: st, least: leastRange}
	r.Reader = io.NewSectionReader(r, 0, st.Size)
	return r, nil
}

// leastRange is how many bytes a request asks for where fewer are read: the next ones are wanted soon.
const leastRange = 256 << 10

// ranges is an object of which only what is read is fetched.
type ranges struct {
	io.Reader
	o    *object
	name string
	stat disk.Stat
	// least is how many bytes a request asks for where fewer are read; a single byte is asked for alone.
	least int64

	mu     sync.Mutex
	at     int64 // of window
	window []byte
}

func (r *ranges) Name() string             { return r.o.Path() + "/" + r.name }
func (r *ranges) Stat() (disk.Stat, error) { return r.stat, nil }
func (r *ranges) Close() error             { return nil }

func (r *ranges) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= r.stat.Size {
		return 0, io.EOF
	}
	left := r.stat.Size - at
	if int64(len(p)) >= r.least {
		n := min(int64(len(p)), left)
		if err := r.fetch(p[:n], at); err != nil {
			return 0, err
		}
		return int(n), short(n < int64(len(p)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(int64(len(p)), left)
	if at < r.at || at+n > r.at+int64(len(r.window)) {
		if n == 1 { // a look at a border, far from what is read next
			return 1, r.fetch(p[:1], at)
		}
		fresh := make([]byte, min(r.least, left))
		if err := r.fetch(fresh, at); err != nil {
			return 0, err
		}
		r.at, r.window = at, fresh
	}
	copy(p[:n], r.window[at-r.at:])
	return int(n), short(n < int64(len(p)))
}

func short(is bool) error {
	if is {
		return io.EOF
	}
	return nil
}

// fetch reads a range, again where a connection breaks amid it.
func (r *ranges) fetch(p []byte, at int64) (err error) {
	for range 3 {
		var broken bool
		if broken, err = r.request(p, at); !broken {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", r.Name(), err)
	}
	return nil
}

func (r *ranges) request(p []byte, at int64) (broken bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience(int64(len(p))))
	defer cancel()
	options := minio.GetObjectOptions{}
	if err := options.SetRange(at, at+int64(len(p))-1); err != nil {
		return false, err
	}
	if err := options.SetMatchETag(r.stat.Tag); err != nil {
		return false, err
	}
	core := minio.Core{Client: r.o.b.client}
	body, _, _, err := core.GetObject(ctx, r.o.b.name, r.o.at(r.name), options)
	if err != nil {
		return false, classify(err)
	}
	defer body.Close()
	_, err = io.ReadFull(body, p)
	return err != nil, err
}
