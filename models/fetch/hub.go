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
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"textmill/ground/places"
	"textmill/models"
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
	if err != nil {
		return listing{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return listing{}, fmt.Errorf("list %s at %s: %w (a private or gated model needs HF_TOKEN)", repository, revision,
			statusError(res.StatusCode))
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

// pullRepository obtains the files that make a bundle, at the commit that the revision stands for now.
func (o Options) pullRepository(ctx context.Context, model, name string) (Installed, error) {
	repository, revision, _ := strings.Cut(model, "@")
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
	files, err := bundleFiles(l.Siblings)
	if err != nil {
		return Installed{}, fmt.Errorf("pull %s: %w", model, err)
	}
	if err := o.checkRoom(files); err != nil {
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
		return placeBundle(ctx, staging, dir, r.describe())
	})
	if err != nil {
		return Installed{}, err
	}
	return Installed{Name: name, Version: l.SHA, Source: r.describe(), Path: dir, Fresh: true}, nil
}

// mostFiles bounds what a bundle is made of: the largest ones have some dozens.
const mostFiles = 1000

// checkRoom refuses, before anything is fetched, what the disk does not hold.
func (o Options) checkRoom(files []repoFile) error {
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
	var fs unix.Statfs_t
	if err := unix.Statfs(o.Home, &fs); err != nil {
		return fmt.Errorf("look for room in %s: %w", o.Home, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); need > free {
		return fmt.Errorf("it takes %d MB, and %s has %d MB left", need>>20, o.Home, free>>20)
	}
	return nil
}

// bundleFiles chooses what a bundle needs: configs, vocabularies, and one graph with its weights.
func bundleFiles(all []repoFile) ([]repoFile, error) {
	var graphs []string
	for _, f := range all {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || path.Clean(f.Name) != f.Name {
			return nil, fmt.Errorf("the repository names a file %s, which is no path inside of it", strconv.Quote(f.Name))
		}
		if dir := path.Dir(f.Name); path.Ext(f.Name) == ".onnx" && (dir == "onnx" || dir == ".") {
			graphs = append(graphs, f.Name)
		}
	}
	if len(graphs) == 0 {
		return nil, errors.New("the repository has no ONNX file (at its top or in onnx/)")
	}
	graph := graphs[0]
	if i := slices.IndexFunc(graphs, func(g string) bool { return path.Base(g) == "model.onnx" }); i >= 0 {
		graph = graphs[i]
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(f repoFile) bool {
		dir, base := path.Dir(f.Name), path.Base(f.Name)
		switch {
		case f.Name == graph, strings.HasPrefix(f.Name, graph+"_data"), strings.HasPrefix(f.Name, graph+".data"):
			return false
		case dir != "." && base == "config.json" && dir != "onnx": // 1_Pooling and its like
			return false
		case dir != "." || base == models.RecordName || strings.HasPrefix(base, "."):
			return true
		}
		return !slices.Contains([]string{".json", ".txt", ".model", ".jinja"}, path.Ext(base))
	})
	for _, f := range chosen {
		if f.BlobID == "" && (f.LFS == nil || f.LFS.SHA256 == "") {
			return nil, fmt.Errorf("the repository gives no hash of %s to verify it by", f.Name)
		}
	}
	return chosen, nil
}
