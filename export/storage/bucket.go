package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sys/unix"

	"textmill/export/disk"
)

// bucket is where objects go. What would tell one incarnation of a directory from the next, a lock, or a durable
// rename has no counterpart there: a put is atomic and durable, and a put that must be the first is refused otherwise
// (If-None-Match).
type bucket struct {
	client    *minio.Client
	transport *http.Transport
	name      string
	prefix    string       // "" or without slashes at its ends
	scratch   string       // this machine's directory for unfinished files
	on        disk.Options // this machine
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixName = regexp.MustCompile(`^[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*$`)
)

// parseBucket takes s3://bucket/prefix apart.
func parseBucket(uri string) (name, prefix string, err error) {
	name, prefix, _ = strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	prefix = strings.TrimRight(prefix, "/")
	if !bucketName.MatchString(name) {
		return "", "", fmt.Errorf("%s: %q is no bucket's name; the form is s3://bucket/prefix", uri, name)
	}
	if prefix == "" {
		return name, "", nil
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "." || part == ".." || !prefixName.MatchString(part) {
			return "", "", fmt.Errorf("%s: the prefix has the part %q; use letters, digits and !_.*'()=-", uri, part)
		}
	}
	return name, prefix, nil
}

// openBucket reads the address, region and credentials where every program of that world does: AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ~/.aws, the machine's
// role.
func openBucket(uri, scratch string, on disk.Options) (*bucket, error) {
	name, prefix, err := parseBucket(uri)
	if err != nil {
		return nil, err
	}
	endpoint := firstSet("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	if endpoint == "" {
		endpoint = "https://s3.amazonaws.com"
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || strings.Trim(at.Path, "/") != "" {
		return nil, fmt.Errorf("AWS_ENDPOINT_URL is %q: it must be http://host:port or https://host:port", endpoint)
	}
	providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		providers = append(providers, &credentials.IAM{})
	}
	transport, err := minio.DefaultTransport(at.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	client, err := minio.New(at.Host, &minio.Options{
		Transport: transport, Secure: at.Scheme == "https", Region: firstSet("AWS_REGION", "AWS_DEFAULT_REGION"),
		Creds: credentials.NewChainCredentials(providers), MaxRetries: 5,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	client.SetAppInfo("textmill", "")
	sum := sha256.Sum256([]byte(endpoint + "\n" + name + "\n" + prefix))
	return &bucket{client: client, transport: transport, name: name, prefix: prefix, on: on,
		scratch: filepath.Join(scratch, hex.EncodeToString(sum[:8]))}, nil
}

func firstSet(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

// patience is how long an operation on so many bytes may take: a minute, and what they take at 256 KiB/s.
func patience(size int64) time.Duration { return time.Minute + time.Duration(size>>18)*time.Second }

// call runs one operation, which ends in any case.
func (b *bucket) call(kind disk.Kind, dir, name string, size int64, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience(size))
	defer cancel()
	return b.on.Hook.Do(&disk.Op{Kind: kind, Dir: dir, Name: name}, func() error { return classify(do(ctx)) })
}

// classify gives an answer of the server the class that the same failure has on a file system.
func classify(err error) error {
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return err
	}
	switch {
	case answer.StatusCode == http.StatusNotFound && answer.Code != minio.NoSuchBucket:
		return fmt.Errorf("%w: %w", os.ErrNotExist, err)
	case answer.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", os.ErrExist, err)
	case answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: the server answered 403 %s: %w", os.ErrPermission, answer.Code, err)
	case answer.StatusCode == http.StatusInsufficientStorage:
		return fmt.Errorf("%w: %w", unix.ENOSPC, err)
	}
	return fmt.Errorf("the server answered %d %s: %w", answer.StatusCode, answer.Code, err)
}

// check refuses a scratch directory that cannot be made, and a server on which two daemons could both commit the same
// version: a second first put must fail.
func (b *bucket) check(root *object) error {
	stage, err := root.MakeStage()
	if err != nil {
		return fmt.Errorf("make export.scratch: %w", err)
	}
	if err := stage.Close(); err != nil {
		return err
	}
	name := "_textmill-probe-" + rand.Text()
	if err := root.put(disk.OpLink, name, strings.NewReader("textmill"), 8, true); err != nil {
		return fmt.Errorf("write to %s: %w", root.Path(), err)
	}
	err = root.put(disk.OpLink, name, strings.NewReader("again"), 5, true)
	removed := root.Unlink(name)
	switch {
	case err == nil:
		return fmt.Errorf("the server of %s ignores If-None-Match, which the table's commits need", root.Path())
	case !errors.Is(err, os.ErrExist):
		return fmt.Errorf("the server of %s does not answer a second put with 412 Precondition Failed: %w", root.Path(), err)
	}
	return removed
}
