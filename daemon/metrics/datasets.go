package metrics

import (
	"sync"

	"textmill/ground/naming"
)

// mostDatasets bounds how many datasets have series of their own: publishers choose their names, and each takes memory
// here and in Prometheus for as long as the process lives.
const mostDatasets = 500

// otherDatasets stands for those that came later. No dataset has such a name.
const otherDatasets = "_other"

// datasets are those that have series of their own.
type datasets struct {
	mu    sync.Mutex
	known map[string]bool
}

// label is what a table's dataset is called in metrics.
func (d *datasets) label(table string) string {
	name := naming.DatasetOf(table)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.known[name]:
		return name
	case len(d.known) >= mostDatasets:
		return otherDatasets
	}
	d.known[name] = true
	return name
}
