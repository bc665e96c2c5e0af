package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"textmill/models"
)

// A source delivers the container of a part: an archive, or a folder of files.
type source interface {
	fmt.Stringer
	// deliver puts the container at path; what a broken attempt left beside it may be used again.
	deliver(ctx context.Context, j job, p part, path string) error
}

// A job is the obtaining of one artifact.
type job struct {
	options  Options
	artifact string
	dir      string
}

func (j job) say(p part, message string) { j.options.say(j.artifact, p.from.String(), message) }

// container returns the part's container, verified, from an earlier attempt if it is whole.
func (j job) container(ctx context.Context, p part) (string, error) {
	path := filepath.Join(j.dir, fmt.Sprintf("%s-%s-%.12s", filepath.Base(p.name), p.version, p.sha256))
	if p.sha256 == "" {
		return path, p.from.deliver(ctx, j, p, path)
	}
	sum, _, err := models.HashFile(ctx, path)
	if err == nil && sum == p.sha256 {
		return path, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	j.say(p, fmt.Sprintf("downloading %s %s", p.name, p.version))
	if err := p.from.deliver(ctx, j, p, path); err != nil {
		return "", err
	}
	if sum, _, err = models.HashFile(ctx, path); err != nil {
		return "", err
	}
	if sum != p.sha256 {
		return "", errors.Join(mismatch(p.name+" "+p.version, sum, p.sha256), os.Remove(path))
	}
	return path, nil
}

// ErrHash is the class of files that are not what is pinned.
var ErrHash = errors.New("wrong SHA-256")

func mismatch(what, got, want string) error {
	return fmt.Errorf("%w: %s has %s, pinned is %s; nothing was installed", ErrHash, what, got, want)
}
