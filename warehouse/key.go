package warehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"textmill/export"
)

// keyOf is the one column by which a loaded row is found again, as the recipes compute it too: SHA-256 over the
// columns of Key, and for an error row, of which several may be of one record, its error and text; each as its length
// in bytes, a colon and itself, what is null being empty.
func keyOf(r *export.Row) string {
	chunk := ""
	if r.Chunk.Valid {
		chunk = strconv.Itoa(int(r.Chunk.V))
	}
	var b []byte
	parts := []string{r.Task, r.ModelSHA256, r.Job, r.Shard, r.RecordID, chunk}
	if r.Error != "" {
		parts = append(parts, r.Error, r.Text.V)
	}
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(append(b, ':'), p...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
