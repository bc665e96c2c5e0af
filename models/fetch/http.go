package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"textmill/ground/counted"
)

// client gives up on hosts that do not answer within seconds: another source may.
var client = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 4 * time.Second}).DialContext,
	TLSHandshakeTimeout:   5 * time.Second,
	ResponseHeaderTimeout: 15 * time.Second,
	ForceAttemptHTTP2:     true,
}, CheckRedirect: checkRedirect}

// checkRedirect follows a few redirects, as the hub's to its storage. Out of TLS none leads, since the token would go
// along to the same host, and anyone on the way could answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	switch {
	case len(via) >= 8:
		return errors.New("it redirects without an end")
	case from.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("it redirects from https to %s", req.URL.Redacted())
	case req.URL.Host != via[0].URL.Host:
		req.Header.Del("Authorization") // of a subdomain too, which net/http would keep
	}
	return nil
}

// mostBytes bounds a download whose size nobody told.
const mostBytes = 16 << 30

// errTooLong is the class of downloads that do not end where they should.
var errTooLong = errors.New("it is longer than it should be")

// stall is how long a download may stand still.
const stall = 30 * time.Second

// release is an archive of the project's official releases.
type release struct{ file string }

func (release) String() string { return "release archive" }

func (r release) deliver(ctx context.Context, j job, p part, path string) error {
	url := "https://github.com/microsoft/onnxruntime/releases/download/v" + p.version + "/" + r.file
	return j.download(ctx, p, url, "", path, mostBytes)
}

// download gets url, of most bytes at most, into path by way of path.part, from where a broken download left off.
func (j job) download(ctx context.Context, p part, url, token, path string, most int64) error {
	partial := path + ".part"
	at := int64(0)
	if st, err := os.Stat(partial); err == nil {
		at = st.Size()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stall, func() { cancel(fmt.Errorf("no byte came for %v", stall)) })
	defer watchdog.Stop()

	res, err := get(ctx, url, token, at)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	flags := os.O_CREATE | os.O_WRONLY
	switch res.StatusCode {
	case http.StatusPartialContent:
		flags |= os.O_APPEND
	case http.StatusRequestedRangeNotSatisfiable: // whole already, or not ours: the hash will tell
		return os.Rename(partial, path)
	case http.StatusOK:
		at = 0
		flags |= os.O_TRUNC
	default:
		return fmt.Errorf("get %s: %w", url, statusError(res.StatusCode))
	}
	f, err := os.OpenFile(partial, flags, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	total := int64(0)
	if res.ContentLength > 0 {
		total = at + res.ContentLength
	}
	w := &bounded{Writer: counted.Writer{W: f, N: at}, most: most, moved: func(done int64) {
		watchdog.Reset(stall)
		j.options.report(Progress{Artifact: j.artifact, Source: p.from.String(), Done: done, Total: total})
	}}
	if max(at+res.ContentLength, at) > most {
		return errors.Join(fmt.Errorf("get %s: %w: %d bytes, not %d", url, errTooLong, at+res.ContentLength, most),
			os.Remove(partial))
	}
	if _, err := io.CopyBuffer(w, res.Body, make([]byte, 256<<10)); err != nil {
		if errors.Is(err, errTooLong) {
			err = errors.Join(err, os.Remove(partial))
		}
		return fmt.Errorf("get %s: %w", url, cmp.Or(context.Cause(ctx), err))
	}
	if err := cmp.Or(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// statusError is an HTTP status that is no success.
type statusError int

func (s statusError) Error() string {
	text := fmt.Sprintf("HTTP %d %s", int(s), http.StatusText(int(s)))
	switch {
	case s != http.StatusUnauthorized && s != http.StatusForbidden:
		return text
	case os.Getenv("HF_TOKEN") == "":
		return text + "; the model is private, or gated: accept its terms on its page of the hub, make a token with the " +
			"right to read there, and set HF_TOKEN"
	}
	return text + "; HF_TOKEN is set, but its owner may not read this: accept the model's terms on its page of the hub"
}

func get(ctx context.Context, url, token string, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	return client.Do(req)
}

// bounded refuses what is more than most, and tells how much is done.
type bounded struct {
	counted.Writer
	most  int64
	moved func(done int64)
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.N+int64(len(p)) > b.most {
		return 0, fmt.Errorf("%w: more than %d bytes", errTooLong, b.most)
	}
	n, err := b.Writer.Write(p)
	b.moved(b.N)
	return n, err
}
