package jobs

import (
	"bytes"
	"encoding/hex"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
)

// Names of the headers of a message whose payload is not in it but lies in chunks under ClaimSubject, since it is
// larger than the server carries.
const (
	HeaderClaim       = "Textmill-Claim"
	HeaderClaimSize   = "Textmill-Claim-Size"
	HeaderClaimChunks = "Textmill-Claim-Chunks"
	HeaderClaimSHA256 = "Textmill-Claim-Sha256"
)

var ofClaims = []string{HeaderClaim, HeaderClaimSize, HeaderClaimChunks, HeaderClaimSHA256}

const (
	claimsPrefix = "textmill.claims"
	// AllClaims are the subjects of all chunks.
	AllClaims = claimsPrefix + ".>"

	mostChunks  = 1 << 20
	mostClaimed = 1 << 40
)

// Claim is a claim check for a payload.
type Claim struct {
	ID     string
	Size   int64 // bytes of the payload
	Chunks int   // messages under ClaimSubject that hold it, in their order
	SHA256 string
}

// ClaimSubject is where the chunks of a job's claim lie.
func ClaimSubject(job, id string) string { return claimsPrefix + "." + job + "." + id }

// ClaimsOf are the subjects of all chunks of a job.
func ClaimsOf(job string) string { return claimsPrefix + "." + job + ".>" }

// Set writes the claim into a message's headers.
func (c *Claim) Set(h Header) {
	h[HeaderClaim], h[HeaderClaimSHA256] = []string{c.ID}, []string{c.SHA256}
	h[HeaderClaimSize] = []string{strconv.FormatInt(c.Size, 10)}
	h[HeaderClaimChunks] = []string{strconv.Itoa(c.Chunks)}
}

// Claim reads what Set wrote; nil where the message has no claim. An error is an *Invalid.
func (h Header) Claim() (*Claim, error) {
	id := h.Get(HeaderClaim)
	if id == "" {
		return nil, nil
	}
	if err := naming.CheckJob(id); err != nil { // a token of a subject
		return nil, invalidf("header %s: %v", HeaderClaim, err)
	}
	c := &Claim{ID: id, SHA256: h.Get(HeaderClaimSHA256)}
	if sum, err := hex.DecodeString(c.SHA256); err != nil || len(sum) != 32 || c.SHA256 != hex.EncodeToString(sum) {
		return nil, invalidf("header %s: %q is not a SHA-256 in 64 lower-case hexadecimal digits", HeaderClaimSHA256,
			clip(c.SHA256))
	}
	size, err := integer([]byte(h.Get(HeaderClaimSize)), "header "+HeaderClaimSize, 1, mostClaimed)
	if err != nil {
		return nil, err
	}
	chunks, err := integer([]byte(h.Get(HeaderClaimChunks)), "header "+HeaderClaimChunks, 1, mostChunks)
	if err != nil {
		return nil, err
	}
	c.Size, c.Chunks = size, int(chunks)
	return c, nil
}

// Unclaimed are the headers that the message would have if it held its payload itself.
func (h Header) Unclaimed() Header {
	return h.without(func(name string) bool { return among(name, ofClaims) })
}

// Sum is the SHA-256 that the claim names.
func (c *Claim) Sum() (sum [32]byte) {
	raw, _ := hex.DecodeString(c.SHA256) // Header.Claim has read it
	copy(sum[:], raw)
	return sum
}

// Stub is the body of a message whose payload lies elsewhere: what the payload says of its job, shard and dataset.
// It is empty for a payload that is no JSON object.
func Stub(payload []byte, h Header) []byte {
	if _, plain := h.plainText(); plain {
		return nil
	}
	s := scanner{data: payload}
	var members [][]byte
	more := s.take('{')
	for more = more && s.peek() != '}'; more; more = s.take(',') {
		name, err := s.key()
		if err != nil {
			return nil
		}
		raw, err := s.value()
		if err != nil {
			return nil
		}
		switch name {
		case "job", "shard", "shards", "dataset", "sync", "on_repeat":
			if v := jsontext.Value(raw); !v.IsValid() || len(raw) > mostStubbed {
				return nil
			}
			members = append(members, append(appendQuoted(nil, name), append([]byte{':'}, raw...)...))
		}
	}
	if members == nil {
		return nil
	}
	return append(append([]byte{'{'}, bytes.Join(members, []byte{','})...), '}')
}

// mostStubbed is more than any of a stub's values may have.
const mostStubbed = 1 << 10

// stub reads the body of a message with a claim.
func (s *Shard) stub(m Message, charset string, plain bool, job string, sequence uint64) (named bool, err error) {
	switch {
	case job == "":
		return false, invalidf("a message with a claim needs a subject that ends in its job, which the claim's has too")
	case plain:
		s.plain(Message{Header: m.Header}, sequence, charset)
		s.Records = nil
	case len(bytes.TrimSpace(m.Data)) > 0:
		named, err = s.body(m.Data, job, Limits{}, true)
	}
	return named, err
}

// Redeemed checks what the payload of a message with a claim decoded to: the message must have said of its job, shard
// and dataset what the payload says.
func (s *Shard) Redeemed(payload *Shard) error {
	named := payload.Job == s.Job && payload.KeyID == s.KeyID
	if named && payload.Dataset == s.Dataset && payload.OnRepeat == s.OnRepeat {
		return nil
	}
	say := func(s *Shard) string {
		return "job " + strconv.Quote(clip(s.Job)) + ", shard " + strconv.Quote(clip(s.KeyID)) + ", dataset " +
			strconv.Quote(clip(s.Dataset)) + ", on_repeat " + strconv.Quote(s.OnRepeat)
	}
	return invalidf("the payload in the claim is of %s; the body of its message names %s and must name the same",
		say(payload), say(s))
}
