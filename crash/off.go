//go:build !crashpoints

package crash

import (
	"time"

	"textmill/export/disk"
)

// Point does nothing in a build without the tag.
func Point(string) {}

// Run does nothing in a build without the tag.
func Run([]int32) {}

// Files stands around no file operation in a build without the tag.
func Files() disk.Intercept { return nil }

// Clock is the machine's own in a build without the tag.
func Clock() func() time.Time { return nil }
