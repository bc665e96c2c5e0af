//go:build !linux

package disk

import "golang.org/x/sys/unix"

// SyncAll makes everything durable that anyone wrote to the file system of d.
func (d *Dir) SyncAll() error {
	return d.at(OpSyncAll, ".", "", func(int) error { unix.Sync(); return nil })
}
