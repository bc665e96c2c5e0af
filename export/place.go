package export

import (
	"errors"
	"os"
	"strings"
	"time"

	"textmill/export/storage"
)

// placeAll makes finished parts files of the table, durably.
func (h *handle) placeAll(parts []*partFile, now time.Time) error {
	in := map[string][]*partFile{}
	for _, p := range parts {
		if !p.durable {
			in[p.folder] = append(in[p.folder], p)
		}
	}
	for folder, parts := range in {
		err := h.folder(folder, func(dir storage.Dir) error { return placeIn(dir, parts, now) })
		if err != nil {
			return err
		}
	}
	return nil
}

func placeIn(dir storage.Dir, parts []*partFile, now time.Time) error {
	for _, p := range parts {
		if p.placed {
			continue
		}
		if err := dir.Place(p.stage.dir, p.temp, p.name[strings.LastIndexByte(p.name, '/')+1:]); err != nil {
			return err
		}
		p.placed, p.placedAt = true, now
	}
	if err := dir.Sync(); err != nil {
		return err
	}
	for _, p := range parts {
		p.durable = true
	}
	return nil
}

// folder hands on a folder of the table, which is made where it is absent, its name durable.
func (h *handle) folder(path string, use func(storage.Dir) error) error {
	if path == "" {
		return use(h.dir)
	}
	_, known := h.folders.Load(path)
	err := os.ErrNotExist
	if known {
		err = below(h.dir, path, storage.Dir.Sub, use)
	}
	if errors.Is(err, os.ErrNotExist) { // or somebody removed it
		err = below(h.dir, path, storage.Dir.MakeSub, use)
	}
	if err == nil {
		h.folders.Store(path, true)
	}
	return err
}

// below hands on a folder that open leads to, name by name.
func below(dir storage.Dir, path string, open func(storage.Dir, string) (storage.Dir, error),
	use func(storage.Dir) error) error {
	name, rest, more := strings.Cut(path, "/")
	sub, err := open(dir, name)
	if err != nil {
		return err
	}
	if more {
		err = below(sub, rest, open, use)
	} else {
		err = use(sub)
	}
	return errors.Join(err, sub.Close())
}

// namesIn lists the files of a table, in its partitions' folders too, by their names in it.
func namesIn(dir storage.Dir) (all []string, err error) {
	names, err := dir.Names("")
	for _, name := range names {
		if !strings.Contains(name, "=") { // in folders lie partitions alone
			all = append(all, name)
			continue
		}
		err := below(dir, name, storage.Dir.Sub, func(sub storage.Dir) error {
			inside, err := namesIn(sub)
			for _, n := range inside {
				all = append(all, name+"/"+n)
			}
			return err
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) && !isNotDir(err) {
			return all, err
		}
	}
	return all, err
}
