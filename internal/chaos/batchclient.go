package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// askLimit is how long a daemon has for an answer: one that sleeps gives none.
const askLimit = 3 * time.Second

// batchObject is what a daemon says of a batch.
type batchObject struct {
	ID       string            `json:"id"`
	Status   string            `json:"status"`
	Output   *string           `json:"output_file_id"`
	Errors   *string           `json:"error_file_id"`
	Metadata map[string]string `json:"metadata"`
	Counts   struct {
		Total     int64 `json:"total"`
		Completed int64 `json:"completed"`
		Failed    int64 `json:"failed"`
	} `json:"request_counts"`
}

// batchLine answers a request of a batch.
type batchLine struct {
	CustomID string `json:"custom_id"`
	Response struct {
		Status int `json:"status_code"`
		Body   struct {
			Data []struct {
				Index     int       `json:"index"`
				Embedding []float32 `json:"embedding"`
			} `json:"data"`
		} `json:"body"`
	} `json:"response"`
	Error *struct {
		Code string `json:"code"`
	} `json:"error"`
}

func (l *batchLine) code() string {
	if l.Error == nil {
		return ""
	}
	return l.Error.Code
}

// errNoAnswer: a daemon did not answer, or could not. What it was asked for may be done or not.
var errNoAnswer = errors.New("no answer")

// send asks one of the daemons once, and gives what it answered with one of the statuses that are wanted.
func (c *cell) send(ctx context.Context, method, path, kind string, body []byte, wanted ...int) ([]byte, error) {
	p := c.anyKeeper().current()
	if p == nil || p.at() == "" {
		return nil, fmt.Errorf("%w: a daemon is not ready", errNoAnswer)
	}
	one, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(one, method, p.at()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: status %d: %w", errNoAnswer, answer.StatusCode, err)
	case answer.StatusCode >= http.StatusInternalServerError, answer.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: status %d: %s", errNoAnswer, answer.StatusCode, raw)
	case !slices.Contains(wanted, answer.StatusCode):
		return nil, fmt.Errorf("%s %s: status %d: %s", method, path, answer.StatusCode, raw)
	}
	return raw, nil
}

// insistOn asks until a daemon answers; what is asked may be done twice.
func (c *cell) insistOn(ctx context.Context, method, path, kind string, body []byte, wanted ...int) ([]byte, error) {
	begun := time.Now()
	for {
		raw, err := c.send(ctx, method, path, kind, body, wanted...)
		if err == nil || !errors.Is(err, errNoAnswer) || time.Since(begun) > patience {
			return raw, err
		}
		if err := pause(ctx, 25*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// createBatch has a batch begun. One whose creation nobody confirmed may be there, so the next try is another batch.
func (c *cell) createBatch(ctx context.Context, n int) (made *batch, tried []*batch, err error) {
	begun := time.Now()
	for {
		b := c.newBatch(n + len(tried))
		tried = append(tried, b)
		err := c.begin(ctx, b)
		if err == nil {
			return b, tried, nil
		}
		if !errors.Is(err, errNoAnswer) || time.Since(begun) > patience {
			return nil, tried, err
		}
		if err := pause(ctx, 25*time.Millisecond); err != nil {
			return nil, tried, err
		}
	}
}

// begin uploads the requests of a batch and creates it.
func (c *cell) begin(ctx context.Context, b *batch) error {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	err := w.WriteField("purpose", "batch")
	var part io.Writer
	if err == nil {
		part, err = w.CreateFormFile("file", b.name+".jsonl")
	}
	if err == nil {
		_, err = part.Write(b.lines)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	raw, err := c.insistOn(ctx, http.MethodPost, "/v1/files", w.FormDataContentType(), form.Bytes(), http.StatusOK)
	var file, made struct{ ID string }
	if err == nil {
		err = json.Unmarshal(raw, &file)
	}
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	asked := encode(map[string]any{"input_file_id": file.ID, "endpoint": "/v1/embeddings", "completion_window": "24h",
		"metadata": map[string]string{"dataset": dataset, "name": b.name}})
	raw, err = c.send(ctx, http.MethodPost, "/v1/batches", "application/json", asked, http.StatusOK)
	if err == nil {
		err = json.Unmarshal(raw, &made)
	}
	if err != nil {
		return fmt.Errorf("create a batch: %w", err)
	}
	b.id = made.ID
	return nil
}

// cancelBatch ends a batch, unless it is over.
func (c *cell) cancelBatch(ctx context.Context, b *batch) error {
	b.ended = true
	_, err := c.insistOn(ctx, http.MethodPost, "/v1/batches/"+b.id+"/cancel", "", nil, http.StatusOK, http.StatusConflict)
	return err
}

// awaitBatch gives a batch that is over.
func (c *cell) awaitBatch(ctx context.Context, b *batch) (o batchObject, err error) {
	moved, last := time.Now(), ""
	for {
		raw, err := c.insistOn(ctx, http.MethodGet, "/v1/batches/"+b.id, "", nil, http.StatusOK)
		o = batchObject{}
		if err == nil {
			err = json.Unmarshal(raw, &o)
		}
		if err != nil {
			return o, err
		}
		switch o.Status {
		case "completed", "failed", "expired", "cancelled":
			return o, nil
		}
		if now := fmt.Sprint(o.Status, o.Counts); now != last {
			moved, last = time.Now(), now
		}
		if time.Since(moved) > patience {
			c.quit()
			return o, fmt.Errorf("batch %s (%s) stays %s with %+v for %v", b.name, b.id, o.Status, o.Counts, patience)
		}
		if err := pause(ctx, 25*time.Millisecond); err != nil {
			return o, err
		}
	}
}

// batchLines reads a file of answers, nil for none.
func (c *cell) batchLines(ctx context.Context, file *string) (lines []batchLine, err error) {
	if file == nil {
		return nil, nil
	}
	raw, err := c.insistOn(ctx, http.MethodGet, "/v1/files/"+*file+"/content", "", nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(raw) {
		var l batchLine
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, fmt.Errorf("file %s: %w: %.200q", *file, err, line)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// listBatches are the ids of all batches by the names that their client gave them.
func (c *cell) listBatches(ctx context.Context) (map[string]string, error) {
	ids, after := map[string]string{}, ""
	for {
		q := url.Values{"limit": {"100"}}
		if after != "" {
			q.Set("after", after)
		}
		raw, err := c.insistOn(ctx, http.MethodGet, "/v1/batches?"+q.Encode(), "", nil, http.StatusOK)
		var page struct {
			Data []batchObject
			More bool `json:"has_more"`
		}
		if err == nil {
			err = json.Unmarshal(raw, &page)
		}
		if err != nil {
			return nil, err
		}
		for _, b := range page.Data {
			ids[b.Metadata["name"]], after = b.ID, b.ID
		}
		if !page.More {
			return ids, nil
		}
	}
}
