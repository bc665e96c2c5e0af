package export

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"textmill/export/delta"
	"textmill/export/part"
)

// create publishes version 0, unless someone else does.
func (t *Table) create(ctx context.Context, h *handle, kind EmbeddingKind) error {
	if err := h.arm(); err != nil {
		return err
	}
	now := t.store.o.Now().UnixMilli()
	id := newID()
	data, err := delta.Encode([]delta.Action{
		{CommitInfo: t.commitInfo("CREATE TABLE", id, now)},
		{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 2}},
		{Metadata: metadata(uuid.NewString(), kind, now, t.store.o.PartitionBy(t.name))},
	})
	if err != nil {
		return err
	}
	s := h.stage()
	temp, err := s.write(data)
	if err != nil {
		return err
	}
	err = h.log.Publish(s.dir, temp, 0, id)
	if errors.Is(err, delta.ErrExists) {
		err = nil
	}
	if err = errors.Join(err, s.dir.Unlink(temp)); err != nil {
		return err
	}
	if err := h.log.Sync(); err != nil {
		return err
	}
	return h.load(ctx)
}

func metadata(id string, kind EmbeddingKind, now int64, by Partitioning) *delta.Metadata {
	if kind == EmbeddingAny {
		kind = EmbeddingFloat32
	}
	properties := map[string]string{}
	if len(by) > 0 {
		properties[partitionKey] = strings.Join(by, ",")
	}
	return &delta.Metadata{
		ID:               id,
		Format:           delta.Format{Provider: "parquet", Options: map[string]string{}},
		SchemaString:     part.SchemaString(kind, by.constants(nil)...),
		PartitionColumns: by.columns(),
		Configuration:    properties,
		CreatedTime:      &now,
	}
}
