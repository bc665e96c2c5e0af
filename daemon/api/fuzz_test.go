package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"unicode/utf8"

	"textmill/daemon/batches"
	"textmill/jobs/queue"
)

// FuzzUpload is a form from a client: a file that is taken is whole, within its bound, and has a name that can be written.
func FuzzUpload(f *testing.F) {
	const head = "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a\\\"b\"\r\n\r\n"
	f.Add([]byte(head + "abc\r\n--x--\r\n"))
	f.Add([]byte(head + "abc"))
	f.Add([]byte(head + strings.Repeat("y", 100) + "\r\n--x\r\nContent-Disposition: form-data; name=\"expires_after[seconds]\"\r\n\r\n9\r\n--x--"))
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\xff\xfe\"\r\n\r\n\r\n--x--\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const most = 64
		var kept []byte
		up, refused := readUpload(multipart.NewReader(bytes.NewReader(raw), "x"), most, func(r io.Reader) (queue.Content, error) {
			got, err := io.ReadAll(r)
			kept = got
			return queue.Content{Chunks: 1, Size: int64(len(got))}, err
		})
		if refused != nil {
			if refused.Status < 400 || refused.Status > 599 || refused.Message == "" {
				t.Errorf("refused with %+v", refused)
			}
			return
		}
		if up.purpose != batches.PurposeBatch || len(kept) > most || !bytes.Contains(raw, kept) || !utf8.ValidString(up.name) || len(up.name) > mostName || strings.ContainsAny(up.name, `/\`) {
			t.Errorf("%+v of %q", up, kept)
		}
	})
}

// FuzzBatchRequest is what a client says of a batch: what is taken is within its bounds.
func FuzzBatchRequest(f *testing.F) {
	f.Add([]byte(`{"input_file_id":"file-a","endpoint":"/v1/embeddings","completion_window":"24h","metadata":{"dataset":"d"},"output_expires_after":{"anchor":"created_at","seconds":3600}}`))
	f.Add([]byte(`{"input_file_id":"a","endpoint":"/v1/embeddings","completion_window":"1s","metadata":null}`))
	f.Add([]byte(`{"completion_window":"99999999999d"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, window, refused := readBatchRequest(raw)
		if refused != nil {
			return
		}
		if window <= 0 || window > mostWindow || q.InputFileID == "" || len(q.Metadata) > mostPairs || !json.Valid(raw) {
			t.Errorf("%s is taken as %+v", raw, q)
		}
	})
}
