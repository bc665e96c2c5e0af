// Package powercut records what is done to a directory, and makes what a power cut would leave of it.
//
// A killed process loses nothing that it wrote: the kernel still has it. A power cut loses the content of a file since
// its fsync, and the names in a directory since its own.
package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"textmill/export/disk"
)

// Recorder keeps every operation that succeeded. Its Around is a disk.Intercept.
type Recorder struct {
	root string // exists, and is durable

	mu     sync.Mutex
	events []event
}

type event struct {
	kind         disk.Kind
	path, target string
	data         []byte
}

// New records what happens below an existing directory.
func New(root string) *Recorder { return &Recorder{root: root} }

// Root is the directory that is recorded.
func (r *Recorder) Root() string { return r.root }

// Around lets an operation happen and notes it. A sync is only noted: the recorder stands in for the disk.
func (r *Recorder) Around(op *disk.Op, do func() error) error {
	r.mu.Lock() // the order of the notes is the order of the operations
	defer r.mu.Unlock()
	var err error
	switch op.Kind {
	case disk.OpSync, disk.OpSyncDir, disk.OpSyncAll:
	default:
		err = do()
	}
	switch op.Kind {
	case disk.OpMkdir, disk.OpCreate, disk.OpWrite, disk.OpSync, disk.OpLink, disk.OpRename, disk.OpUnlink,
		disk.OpSyncDir,
		disk.OpSyncAll, disk.OpLock:
	default:
		return err
	}
	if err == nil && (op.Dir == r.root || strings.HasPrefix(op.Dir, r.root+"/")) {
		r.events = append(r.events, event{op.Kind, filepath.Join(op.Dir, op.Name), op.To, slices.Clone(op.Data)})
	}
	return err
}

// Operations is how many were noted.
func (r *Recorder) Operations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// Describe is the nth operation in words.
func (r *Recorder) Describe(n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.events[n]
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", e.kind, strings.TrimPrefix(e.path, r.root),
		strings.TrimPrefix(e.target, r.root)))
}

// node is a file or a directory.
type node struct {
	isDir   bool
	data    []byte
	synced  int              // bytes of data that a power cut leaves
	now     map[string]*node // a directory's names
	durable map[string]*node // those that a power cut leaves
}

func newDir() *node { return &node{isDir: true, now: map[string]*node{}, durable: map[string]*node{}} }

// Restore makes the directory to as it is after a power cut that comes when only the first n operations have happened.
// Without a random source, everything goes that was not synced; with one, each unsynced name and each unsynced byte
// may or may not survive.
func (r *Recorder) Restore(to string, n int, random *rand.Rand) error {
	r.mu.Lock()
	events := r.events[:n]
	r.mu.Unlock()
	m := model{root: r.root, top: newDir()}
	for i, e := range events {
		if err := m.apply(e); err != nil {
			return fmt.Errorf("operation %d, %s %s: %w", i, e.kind, e.path, err)
		}
	}
	return m.top.write(to, random)
}

type model struct {
	root string
	top  *node
}

// find gives the directory of a path and its name there.
func (m *model) find(path string) (*node, string, error) {
	rel, err := filepath.Rel(m.root, path)
	if err != nil {
		return nil, "", err
	}
	parts := strings.Split(rel, "/")
	at := m.top
	for _, p := range parts[:len(parts)-1] {
		if at = at.now[p]; at == nil {
			return nil, "", os.ErrNotExist
		}
	}
	return at, parts[len(parts)-1], nil
}

func (m *model) get(path string) (*node, error) {
	if path == m.root {
		return m.top, nil
	}
	dir, name, err := m.find(path)
	if err != nil {
		return nil, err
	}
	n := dir.now[name]
	if n == nil {
		return nil, os.ErrNotExist
	}
	return n, nil
}

func (m *model) apply(e event) error {
	switch e.kind {
	case disk.OpMkdir:
		return m.makeAll(e.path)
	case disk.OpSyncAll:
		m.top.syncAll()
		return nil
	case disk.OpWrite, disk.OpSync, disk.OpSyncDir:
		n, err := m.get(e.path)
		if err != nil {
			return err
		}
		n.data = append(n.data, e.data...)
		if e.kind == disk.OpSync {
			n.synced = len(n.data)
		}
		if e.kind == disk.OpSyncDir {
			n.syncNames()
		}
		return nil
	}
	dir, name, err := m.find(e.path)
	if err != nil {
		return err
	}
	n := dir.now[name]
	switch e.kind {
	case disk.OpCreate:
		dir.now[name] = &node{}
	case disk.OpLock:
		if n == nil {
			dir.now[name] = &node{}
		}
	case disk.OpUnlink:
		delete(dir.now, name)
	case disk.OpLink, disk.OpRename:
		target, newName, err := m.find(e.target)
		if err != nil {
			return err
		}
		target.now[newName] = n
		if e.kind == disk.OpRename {
			delete(dir.now, name)
		}
	}
	return nil
}

func (m *model) makeAll(path string) error {
	rel, err := filepath.Rel(m.root, path)
	if err != nil {
		return err
	}
	at := m.top
	for _, p := range strings.Split(rel, "/") {
		if at.now[p] == nil {
			at.now[p] = newDir()
		}
		at = at.now[p]
	}
	return nil
}

func (n *node) syncNames() {
	n.durable = map[string]*node{}
	for name, child := range n.now {
		n.durable[name] = child
	}
}

func (n *node) syncAll() {
	n.synced = len(n.data)
	if !n.isDir {
		return
	}
	n.syncNames()
	for _, child := range n.now {
		child.syncAll()
	}
}

// write makes what is left of a node.
func (n *node) write(to string, random *rand.Rand) error {
	if !n.isDir {
		size := n.synced
		if random != nil && len(n.data) > size {
			size += random.IntN(len(n.data) - size + 1)
		}
		return os.WriteFile(to, n.data[:size], 0o644)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	left := n.durable
	if random != nil {
		left = n.mixed(random)
	}
	for name, child := range left {
		if err := child.write(filepath.Join(to, name), random); err != nil {
			return err
		}
	}
	return nil
}

// mixed draws for each name whether its last change survives.
func (n *node) mixed(random *rand.Rand) map[string]*node {
	var names []string
	for name := range n.now {
		names = append(names, name)
	}
	for name := range n.durable {
		if n.now[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	left := map[string]*node{}
	for _, name := range names {
		child := n.now[name]
		if random.IntN(2) == 0 {
			child = n.durable[name]
		}
		if child != nil {
			left[name] = child
		}
	}
	return left
}
