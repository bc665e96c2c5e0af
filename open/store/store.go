// Package store says where tables are and how they are written, as the configuration has it.
package store

import (
	"fmt"
	"strings"

	"textmill/config"
	"textmill/crash"
	"textmill/export"
)

// Options are those of a store of tables of a program of this version.
func Options(e config.Export, version string) (export.Options, error) {
	partitions := map[string]export.Partitioning{}
	for _, entry := range e.PartitionBy {
		dataset, columns, _ := strings.Cut(entry, "=")
		by, err := export.ParsePartitioning(columns)
		if err != nil {
			return export.Options{}, fmt.Errorf("export.partition_by: %s: %w", entry, err)
		}
		partitions[dataset] = by
	}
	return export.Options{
		URI: e.URI, Scratch: e.Scratch, Dirs: e.DirMode.Perm(), Files: e.FileMode.Perm(), PartBytes: int64(e.PartBytes),
		PartitionBy: func(dataset string) export.Partitioning { return partitions[dataset] },
		Metadata:    map[string]string{"textmill.version": version}, Version: version,
		Intercept: crash.Files(), Now: crash.Clock(), Point: crash.Point,
	}, nil
}
