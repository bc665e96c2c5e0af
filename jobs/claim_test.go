package jobs

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const claimSum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func claimHeader(change func(Header)) Header {
	h := Header{"Content-Type": {"application/json"}}
	(&Claim{ID: "C1", Size: 1 << 23, Chunks: 9, SHA256: claimSum}).Set(h)
	if change != nil {
		change(h)
	}
	return h
}

func TestClaimsAreReadAsWritten(t *testing.T) {
	c, err := claimHeader(nil).Claim()
	if err != nil || *c != (Claim{ID: "C1", Size: 1 << 23, Chunks: 9, SHA256: claimSum}) {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := (Header{}).Claim(); c != nil || err != nil {
		t.Errorf("without one: %+v, %v", c, err)
	}
	if left := claimHeader(nil).Unclaimed(); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
	for _, bad := range []struct{ name, value, says string }{
		{HeaderClaim, "a.b", "Textmill-Claim: "},
		{HeaderClaim, ">", "Textmill-Claim: "},
		{HeaderClaimSize, "0", "Textmill-Claim-Size: 0 is not within"},
		{HeaderClaimSize, "", "Textmill-Claim-Size"},
		{HeaderClaimSize, "1e3", "Textmill-Claim-Size"},
		{HeaderClaimChunks, "99999999999", "Textmill-Claim-Chunks"},
		{HeaderClaimSHA256, strings.ToUpper(claimSum), "64 lower-case hexadecimal digits"},
		{HeaderClaimSHA256, "00", "64 lower-case hexadecimal digits"},
	} {
		_, err := claimHeader(func(h Header) { h[bad.name] = []string{bad.value} }).Claim()
		if err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s %q: %v", bad.name, bad.value, err)
		}
	}
}

// A message with a claim has the identity of the message that it stands for, and its dataset, without the payload.
func TestAClaimKeepsTheNames(t *testing.T) {
	const subject = "textmill.jobs.embed.m.j"
	for name, whole := range map[string]Message{
		"named":     {Data: []byte(`{"records":[{"id":"a","text":"x"}],"job":"j","shard":7,"shards":9,"dataset":"d"}`)},
		"a sync":    {Data: []byte(`{"job":"j","shard":"s 1","dataset":"d","sync":"0123456789abcdef","records":[{"text":"x"}]}`)},
		"on_repeat": {Data: []byte(`{"job":"j","shard":1,"on_repeat":"replace","records":[{"id":"a","text":"x"}]}`)},
		"unnamed":   {Data: []byte(`{"records":[{"text":"x"}]}`)},
		"a text":    {Data: []byte("some text"), Header: Header{HeaderContentType: {"text/plain"}, HeaderDataset: {"notes"}, HeaderMsgID: {"m1"}}},
	} {
		whole.Subject, whole.Sequence = subject, 11
		stub := whole
		stub.Header = Header{}
		for name, v := range whole.Header {
			stub.Header[name] = v
		}
		(&Claim{ID: "C1", Size: int64(len(whole.Data)), Chunks: 1, SHA256: claimSum}).Set(stub.Header)
		stub.Data = Stub(whole.Data, whole.Header)
		want, err := Decode(whole, Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := Decode(stub, Limits{})
		if err != nil || got.Records != nil || got.Claim == nil {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		if got.Job != want.Job || got.EventID() != want.EventID() || got.KeyID != want.KeyID || got.Dataset != want.Dataset || got.OnRepeat != want.OnRepeat || got.Shards != want.Shards {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if err := got.Redeemed(want); err != nil {
			t.Error(name, err)
		}
	}
}

func TestClaimsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ subject, body, says string }{
		{"textmill.jobs.embed.m", `{"job":"j","shard":1}`, "a subject that ends in its job"},
		{"textmill.jobs.embed.m.j", `{"job":"other","shard":1}`, `belongs to job "j"`},
		{"textmill.jobs.embed.m.j", `{"shard":1,"records":[{"text":"x"}]}`, "beside a claim"},
		{"textmill.jobs.embed.m.j", `{"shard":1,"params":{"normalize":true}}`, "beside a claim"},
		{"textmill.jobs.embed.m.j", `not JSON`, "not JSON"},
	} {
		_, err := Decode(Message{Subject: c.subject, Header: claimHeader(nil), Data: []byte(c.body)}, Limits{})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.body, err)
		}
	}
	a, _ := Decode(Message{Subject: "textmill.jobs.embed.m.j", Header: claimHeader(nil), Data: []byte(`{"shard":1,"dataset":"d"}`)}, Limits{})
	b, _ := Decode(Message{Subject: "textmill.jobs.embed.m.j", Data: []byte(`{"shard":2,"dataset":"d","records":[{"text":"x"}]}`)}, Limits{})
	if err := a.Redeemed(b); err == nil || !strings.Contains(err.Error(), `is of job "j", shard "2", dataset "d", on_repeat ""; the body of its message names job "j", shard "1"`) {
		t.Errorf("another shard's payload: %v", err)
	}
}

// FuzzClaim holds that a message with a claim, whatever its headers and body, decodes or is an Invalid, and that the
// stub of a payload says of it what the payload says.
func FuzzClaim(f *testing.F) {
	f.Add("C1", "9", "1", claimSum, []byte(`{"job":"j","shard":7,"dataset":"d","records":[{"text":"x"}]}`))
	f.Add("C1", "x", "-1", "00", []byte(`{"job":"j","job":"k"}`))
	f.Add("", "", "", "", []byte(`[`))
	f.Fuzz(func(t *testing.T, id, size, chunks, sum string, data []byte) {
		const subject = "textmill.jobs.embed.m.j"
		h := Header{HeaderClaim: {id}, HeaderClaimSize: {size}, HeaderClaimChunks: {chunks}, HeaderClaimSHA256: {sum}}
		if s, err := Decode(Message{Subject: subject, Header: h, Data: data}, Limits{}); err == nil && id != "" && s.Claim == nil {
			t.Error("the claim is lost")
		}
		whole, err := Decode(Message{Subject: subject, Data: data}, Limits{})
		if err != nil {
			return
		}
		stub := Stub(data, nil)
		if len(stub) > 0 && !json.Valid(bytes.ToValidUTF8(stub, nil)) {
			t.Fatalf("stub %q", stub)
		}
		got, err := Decode(Message{Subject: subject, Header: claimHeader(nil), Data: stub}, Limits{})
		if err != nil {
			t.Fatalf("stub %q of %q: %v", stub, data, err)
		}
		if err := got.Redeemed(whole); err != nil {
			t.Errorf("stub %q of %q: %v", stub, data, err)
		}
	})
}
