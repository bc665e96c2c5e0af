package jobs

import (
	"errors"
	"fmt"
	"strings"
)

const objectScheme = "s3://"

// Remote says that the input is an object in a bucket, which its ETag holds to one version.
func (in *Input) Remote() bool { return strings.HasPrefix(in.URI, objectScheme) }

// Object takes s3://bucket/key apart; a key stands as it is, nothing of it is escaped.
func (in *Input) Object() (bucket, key string, err error) {
	uri := in.URI
	rest, ok := strings.CutPrefix(uri, objectScheme)
	bucket, key, cut := strings.Cut(rest, "/")
	switch {
	case !ok || bucket == "" || !cut || key == "":
		return "", "", fmt.Errorf("uri %q is not s3://bucket/key", clip(uri))
	case strings.HasSuffix(key, "/"):
		return "", "", fmt.Errorf("uri %q names a directory", clip(uri))
	case len(uri) > mostURI:
		return "", "", fmt.Errorf("uri has %d bytes, at most %d are allowed", len(uri), mostURI)
	case strings.ContainsFunc(uri, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }):
		return "", "", errors.New("uri has control characters, or is not UTF-8")
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return "", "", fmt.Errorf("uri %q has a part that is empty, . or ..", clip(uri))
		}
	}
	return bucket, key, nil
}

// mostURI is more than a bucket's name and a key may have together.
const mostURI = 2 << 10

// checkPlace says whether the input names a file or an object, and which version of it.
func (in *Input) checkPlace() error {
	if !in.Remote() {
		if in.ETag != "" {
			return errors.New("etag is for s3:// URIs; a file has mtime")
		}
		_, err := in.Path()
		return err
	}
	_, _, err := in.Object()
	switch {
	case err != nil:
		return err
	case in.ETag == "" || len(in.ETag) > 256:
		return errors.New("etag is missing or too long; an object has one in place of mtime")
	case !in.MTime.IsZero():
		return errors.New("mtime is for files; an object has etag")
	}
	return nil
}
