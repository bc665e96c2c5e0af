package jobs

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/go-json-experiment/json/jsontext"
)

// Contents makes the content_sha256 of records that one model works on with one set of params: equal hashes stand for
// equal content. A nil Contents makes none.
type Contents struct{ prefix []byte }

// NewContents takes the model_sha256 and the params of the message, as JSON.
func NewContents(modelSHA256 string, params []byte) *Contents {
	prefix := append([]byte("textmill content 1\n"), modelSHA256...)
	prefix = append(append(append(prefix, '\n'), canonicalParams(params)...), '\n')
	return &Contents{prefix}
}

// SHA256 is the hash of what a record's rows are made of: the model's files, the message's params, and the record as a
// message carries it, but for its id, which says whose content it is. What makes a record an error row is its content
// in place of its text.
func (c *Contents) SHA256(r *Record) string {
	if c == nil {
		return ""
	}
	content := *r
	content.ID = ""
	if r.Params != nil {
		content.Params = canonicalParams(r.Params)
	}
	whole := append(make([]byte, 0, len(c.prefix)+len(r.Text)+256), c.prefix...)
	sum := sha256.Sum256(content.AppendJSON(whole))
	return hex.EncodeToString(sum[:])
}

// canonicalParams is JSON in the one form of RFC 8785, but for whole numbers, which keep all their digits; {} where
// there are no params. What is not JSON stays as it is.
func canonicalParams(raw []byte) []byte {
	v := jsontext.Value(raw).Clone()
	if len(v) == 0 || v.Kind() == 'n' {
		return []byte("{}")
	}
	if err := v.Canonicalize(jsontext.CanonicalizeRawInts(false)); err != nil {
		return raw
	}
	return v
}
