package session

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"textmill/models/internal/cuda"
	"textmill/models/internal/graph"
)

// A Demand is what a model takes of a card's memory.
type Demand struct {
	Weights int64 // of its graphs
	Least   int64 // beside them, for the smallest work
	Wanted  int64 // beside them, for the work at which it is fast; no less than Least
}

// A Share is a part of a card's memory that is promised to a model. That of the processor is without a bound.
type Share struct {
	// Bytes bound everything that the model takes of the card; 0 where there is no bound.
	Bytes int64
	book  *budget
	key   string
}

// A budget is what of one card is promised to whom in this process.
type budget struct {
	sync.Mutex
	has      int64
	promised map[string]int64
	next     int
}

// overhead is what CUDA itself takes of a card in each process, about, beside what models are promised.
const overhead = 768 << 20

var budgets struct {
	sync.Mutex
	cards map[string]*budget
}

// Claim promises a model what it is to have of the card that it runs on: DeviceMemory if that is set, else what it
// wants, or what is left if that is less and does for the smallest work. Its error is ErrOutOfMemory, with figures.
// Device was settled by WithDefaults. The promise holds until Release.
func (o Options) Claim(model string, d Demand) (Share, error) {
	n, err := parseDevice(o.Device)
	if err != nil || n < 0 {
		return Share{}, err
	}
	t := tryCard(o.Library, n)
	if t.err != nil {
		return Share{}, fmt.Errorf("%w %s: %w", ErrDevice, o.Device, t.err)
	}
	return bookOf(o.Device, t.card).claim(o.Device, model, o.DeviceMemory, d)
}

func bookOf(device string, c cuda.Card) *budget {
	budgets.Lock()
	defer budgets.Unlock()
	if budgets.cards == nil {
		budgets.cards = map[string]*budget{}
	}
	b := budgets.cards[device]
	if b == nil {
		b = &budget{has: c.Memory - overhead, promised: map[string]int64{}}
		if c.Free >= 0 {
			b.has = min(b.has, c.Free-overhead) // others hold the rest
		}
		budgets.cards[device] = b
	}
	return b
}

func (b *budget) claim(device, model string, set int64, d Demand) (Share, error) {
	b.Lock()
	defer b.Unlock()
	least := d.Weights + d.Least
	if set > 0 && set < least {
		return Share{}, fmt.Errorf("%w: models.%s.device_memory is %s, and it needs %s on %s: %s of weights, %s for the "+
			"smallest work", ErrOutOfMemory, model, mebibytes(set), mebibytes(least), device, mebibytes(d.Weights),
			mebibytes(d.Least))
	}
	left := b.has
	for _, n := range b.promised {
		left -= n
	}
	least = max(least, set)
	if least > left {
		return Share{}, fmt.Errorf("%w: model %s needs %s, %s has %s%s; set models.<name>.device_memory lower, or choose "+
			"another card or the processor (models.%s.device)", ErrOutOfMemory, model, mebibytes(least), device,
			mebibytes(b.has), b.whose(), model)
	}
	bytes := set
	if bytes == 0 {
		bytes = min(d.Weights+max(d.Wanted, d.Least), left)
	}
	b.next++
	key := fmt.Sprintf("%s\x00%d", model, b.next)
	b.promised[key] = bytes
	return Share{Bytes: bytes, book: b, key: key}, nil
}

// whose says what is promised to which model.
func (b *budget) whose() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(b.promised)) {
		model, _, _ := strings.Cut(key, "\x00")
		parts = append(parts, mebibytes(b.promised[key])+" to model "+model)
	}
	if len(parts) == 0 {
		return " to give"
	}
	return ", of which are promised " + strings.Join(parts, ", ")
}

// Release gives the promise back; it may be called more than once.
func (s Share) Release() {
	if s.book == nil {
		return
	}
	s.book.Lock()
	defer s.book.Unlock()
	delete(s.book.promised, s.key)
}

func mebibytes(n int64) string {
	if n >= 10<<30 {
		return cuda.Gibibytes(n)
	}
	return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
}

// WeightBytes is about what a graph's weights take of a card: as much as they are stored in. Those that are kept as
// floats and cast when the graph is loaded take less there, and twice as much for a moment.
func WeightBytes(path string) (int64, error) {
	g, err := graph.Read(path)
	if err != nil {
		return 0, err
	}
	var sum int64
	files := []string{path}
	for _, f := range g.External {
		files = append(files, filepath.Join(filepath.Dir(path), filepath.FromSlash(f)))
	}
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			return 0, fmt.Errorf("weights of %s: %w", path, err)
		}
		sum += st.Size()
	}
	return sum, nil
}
