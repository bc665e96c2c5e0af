package fetch

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
)

// hub is the Hugging Face hub or whatever HF_ENDPOINT names in its place. listed are the files as it listed them:
// their sizes, and git's hashes of those that have no SHA-256 of their own.
type hub struct{ listed map[string]repoFile }

func (hub) String() string { return "Hugging Face hub" }

func endpoint() string {
	if e := os.Getenv("HF_ENDPOINT"); e != "" {
		return strings.TrimRight(e, "/")
	}
	return "https://huggingface.co"
}

// offline is HF_HUB_OFFLINE, in the spellings that its own client takes.
func offline() error {
	switch strings.ToUpper(os.Getenv("HF_HUB_OFFLINE")) {
	case "1", "ON", "YES", "TRUE":
		return fmt.Errorf("%w: HF_HUB_OFFLINE is set", errUnavailable)
	}
	return nil
}

func (hub) fileURL(repository, revision, file string) string {
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return endpoint() + "/" + repository + "/resolve/" + url.PathEscape(revision) + "/" + strings.Join(parts, "/")
}

// deliver puts the part's files into the folder at path. Whole ones from an earlier attempt are kept.
func (h hub) deliver(ctx context.Context, j job, p part, folder string) error {
	if err := offline(); err != nil {
		return err
	}
	for _, f := range p.pins {
		to := filepath.Join(folder, filepath.FromSlash(f.in))
		if _, err := os.Stat(to); err == nil && h.check(ctx, f, p, to) == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		j.say(p, "downloading "+p.name+"/"+f.in)
		if err := j.download(ctx, p, h.fileURL(p.name, p.version, f.in), os.Getenv("HF_TOKEN"), to, h.most(f)); err != nil {
			return err
		}
		if err := h.check(ctx, f, p, to); err != nil {
			return errors.Join(err, os.Remove(to))
		}
	}
	return nil
}

func (h hub) check(ctx context.Context, f pin, p part, file string) error {
	if f.sha256 != "" {
		sum, _, err := models.HashFile(ctx, file)
		if err == nil && sum != f.sha256 {
			err = mismatch(p.name+"/"+f.in, sum, f.sha256)
		}
		return err
	}
	blob := h.listed[f.in].BlobID
	if blob == "" {
		return nil
	}
	got, err := gitHash(file)
	if err == nil && got != blob {
		err = fmt.Errorf("%w: %s/%s has git hash %s, the hub says %s; nothing was installed", ErrHash, p.name, f.in, got,
			blob)
	}
	return err
}

// most is how long a file may be: as the hub listed it, where it did, else as any file.
func (h hub) most(f pin) int64 {
	if l := h.listed[f.in]; l.Size > 0 {
		return l.Size
	}
	return mostBytes
}

// gitHash is the name that git gives to a file's content.
func gitHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", st.Size())
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// listing is what the hub says about a repository at a revision.
type listing struct {
	SHA      string     `json:"sha"`
	Siblings []repoFile `json:"siblings"`
}

// A repoFile has the SHA-256 of its content when the hub keeps it as a large file, else git's hash.
type repoFile struct {
	Name   string `json:"rfilename"`
	Size   int64  `json:"size"`
	BlobID string `json:"blobId"`
	LFS    *struct {
		SHA256 string `json:"sha256"`
	} `json:"lfs"`
}

func (h hub) list(ctx context.Context, repository, revision string) (listing, error) {
	where := endpoint() + "/api/models/" + repository + "/revision/" + url.PathEscape(revision) + "?blobs=true"
	res, err := get(ctx, where, os.Getenv("HF_TOKEN"), 0)
	if ctx.Err() != nil {
		return listing{}, err
	}
	if err != nil {
		return listing{}, fmt.Errorf("the hub cannot be reached: %w; HF_ENDPOINT names a mirror, and textmill models import takes "+
			"a folder or a GGUF file that was brought otherwise", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return listing{}, fmt.Errorf("list %s at %s: %w", repository, revision, statusError(res.StatusCode))
	}
	var l listing
	if err := json.NewDecoder(io.LimitReader(res.Body, 32<<20)).Decode(&l); err != nil {
		return listing{}, fmt.Errorf("list %s at %s: %w", repository, revision, err)
	}
	if !commitName.MatchString(l.SHA) { // it becomes part of paths
		return listing{}, fmt.Errorf("list %s at %s: the answer names no commit: %q", repository, revision, l.SHA)
	}
	return l, nil
}

var commitName = regexp.MustCompile(`^[0-9a-f]{40,64}$`)

// pullRepository obtains the files that make a bundle, or a checkpoint that is imported, at the commit that the
// revision stands for now.
func (o Options) pullRepository(ctx context.Context, repository, revision, name string,
	preferCheckpoint bool) (Installed, error) {
	model := repository
	if revision == "" {
		revision = "main"
	}
	if err := offline(); err != nil {
		return Installed{}, fmt.Errorf("pull %s: %w", model, err)
	}
	unlock, err := o.lock(ctx, name)
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	l, err := hub{}.list(ctx, repository, revision)
	if err != nil {
		return Installed{}, fmt.Errorf("pull %s: %w", model, err)
	}
	files, imported, err := wanted(l.Siblings, preferCheckpoint)
	if err != nil {
		return Installed{}, fmt.Errorf("pull %s: %w", model, err)
	}
	if err := o.checkRoom(files, imported); err != nil {
		return Installed{}, fmt.Errorf("pull %s: %w", model, err)
	}
	listed := map[string]repoFile{}
	p := part{from: hub{listed}, name: repository, version: l.SHA}
	for _, f := range files {
		q := pin{in: f.Name, to: f.Name}
		if f.LFS != nil && f.LFS.SHA256 != "" {
			q.sha256 = f.LFS.SHA256
		}
		listed[f.Name] = f
		p.pins = append(p.pins, q)
	}
	dir := places.Model(o.Home, name)
	r, err := o.obtain(ctx, name, []route{{"", l.SHA, []part{p}}}, func(r route, staging string) error {
		if imported {
			return o.importModel(ctx, known{precision: checkpoint.FP32}, name, staging, r.describe())
		}
		return placeBundle(ctx, staging, dir, r.describe())
	})
	if err != nil {
		return Installed{}, err
	}
	return Installed{Name: name, Version: l.SHA, Source: r.describe(), Path: dir, Fresh: true}, nil
}

// mostFiles bounds what a bundle is made of: the largest ones have some dozens.
const mostFiles = 1000

// checkRoom refuses, before anything is fetched, what the disk does not hold: of a checkpoint that is imported its
// files, and its weights as floats.
func (o Options) checkRoom(files []repoFile, imported bool) error {
	if len(files) > mostFiles {
		return fmt.Errorf("the repository lists %d files, a model has at most %d", len(files), mostFiles)
	}
	var need uint64
	for _, f := range files {
		if f.Size < 0 || f.Size > 1<<50 {
			return fmt.Errorf("the repository says that %q has %d bytes", f.Name, f.Size)
		}
		need += uint64(f.Size)
	}
	if imported {
		need *= 3
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(o.Home, &fs); err != nil {
		return fmt.Errorf("look for room in %s: %w", o.Home, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); need > free {
		return fmt.Errorf("it takes %d MB, and %s has %d MB left", need>>20, o.Home, free>>20)
	}
	return nil
}
