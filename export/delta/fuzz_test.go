package delta

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}`,
		`{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"configuration":{}}}` + "\n" +
			`{"txn":{"appId":"a","version":1,"lastUpdated":2}}`,
		`{"add":{"path":"p","partitionValues":{},"size":1,"modificationTime":2,"dataChange":true,"stats":"{}","tags":null}}`,
		`{"remove":{"path":"p","deletionTimestamp":1,"dataChange":false}}` + "\n\n",
		`{"commitInfo":{"txnId":7,"operation":{"a":1}}}`,
		`{"add":{"path":"p","deletionVector":{"storageType":"u"}}}`,
		`{"add":{"pa`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			return
		}
		// What was read is written and read again as the same.
		var actions []Action
		for i := range e.Txns {
			actions = append(actions, Action{Txn: &e.Txns[i]})
		}
		for i := range e.Adds {
			actions = append(actions, Action{Add: &e.Adds[i]})
		}
		for i := range e.Removes {
			actions = append(actions, Action{Remove: &e.Removes[i]})
		}
		if len(actions) == 0 {
			return
		}
		once, err := Encode(actions)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Txns) != len(e.Txns) || len(again.Adds) != len(e.Adds) || len(again.Removes) != len(e.Removes) {
			t.Errorf("%d txns, %d adds, %d removes became %d, %d, %d", len(e.Txns), len(e.Adds), len(e.Removes),
				len(again.Txns), len(again.Adds), len(again.Removes))
		}
	})
}

func FuzzLastCheckpoint(f *testing.F) {
	for _, seed := range []string{`{"version":3,"size":9}`, `{"version":-1}`, `{}`, `null`, `{"version":1e3}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := decodeLastCheckpoint(data); err == nil && v < 0 {
			t.Errorf("version %d", v)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	for _, name := range []string{"delta-rs.checkpoint.parquet", "textmill.checkpoint.parquet"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rows := 0
		s := &Snapshot{}
		_ = readCheckpointFrom(ctx, bytes.NewReader(data), int64(len(data)), func(r *checkpointRow) {
			s.applyRow(r, Sink{})
			if rows++; rows > 1<<16 {
				cancel()
			}
		})
	})
}
