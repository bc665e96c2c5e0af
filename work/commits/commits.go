// Package commits says what a commit did to a table in the words of the protocol.
package commits

import (
	"textmill/export"
	"textmill/jobs"
)

// Describe is a commit of the table at a path as others are told of it.
func Describe(dataset, path string, c *export.LogCommit) jobs.TableCommit {
	rows, failed := c.Rows()
	out := jobs.TableCommit{
		Type: jobs.EventTable, Dataset: dataset, Table: path, TableID: c.TableID,
		Version: c.Version, Operation: c.Operation, Rearranged: c.Rearranged, Rows: rows, Errors: failed,
		NAdded: len(c.Added), NRemoved: len(c.Removed), Added: []jobs.TableFile{}, Removed: []jobs.TableFile{}, Time: c.Time,
	}
	for i := range c.Added {
		f := jobs.TableFile{Path: c.Added[i].Path, Bytes: c.Added[i].Size}
		if c.Added[i].Rows >= 0 {
			f.Rows = &c.Added[i].Rows
		}
		out.Added = append(out.Added, f)
	}
	for _, f := range c.Removed {
		out.Removed = append(out.Removed, jobs.TableFile{Path: f.Path})
	}
	return out
}
