package jobs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Equal hashes stand for equal content: records, params and models are made up of few values, so that many are equal,
// and a publisher's hash is compared with that of the message as a daemon decodes it.
func TestContentHashIsTheContents(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[rng.IntN(len(of))] }
	seen, hashes := map[string]string{}, map[string]string{}
	for i := range 20_000 {
		r := Record{ID: fmt.Sprint(i), Text: one("", "a", `"a"`, "ä", "a\x00", "a\u2028", `{"text":"a"}`)}
		task := one("embed", "generate")
		switch rng.IntN(4) {
		case 0:
			r.Err = &RecordError{Class: InvalidRecord, Message: one("a", "", "text is missing")}
			r.Text = ""
		case 1:
			r.Text, r.Messages = "", []ChatMessage{{one("user", "system"), one("a", "b")}}
		}
		for range rng.IntN(3) {
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[one("k", "l", "")] = one("", "v", "1")
		}
		if r.Err == nil && task == "generate" && rng.IntN(2) == 0 {
			r.Params = []byte(one(`{"seed":1}`, `{"seed":9007199254740993}`, `{"seed":9007199254740992}`, `{"top_k":1,"seed":1}`, `{}`))
		}
		params := one("", `{"store_text":true}`, `{"store_text":true,"store_token_ids":false}`, `{"store_text":"true"}`)
		model := one("0a", "0b")
		hash := NewContents(model, []byte(params)).SHA256(&r)
		spelled := fmt.Sprintf("%s\n%s\n%v", model, params, plainly(t, &r))
		if before, known := seen[spelled]; known && before != hash {
			t.Fatalf("%s has the hashes %s and %s", spelled, before, hash)
		}
		if before, known := hashes[hash]; known && before != spelled {
			t.Fatalf("%s and %s have the hash %s", before, spelled, hash)
		}
		seen[spelled], hashes[hash] = hash, spelled
		e := Envelope{Job: "j", Shard: "0", Dataset: "d"}
		if params != "" {
			e.Params = []byte(params)
		}
		s, err := Decode(Message{Subject: "textmill.jobs." + task + ".m", Header: Header{}, Data: e.Encode(r)}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Err == nil && s.Records[0].Err != nil { // messages for a model that embeds
			continue
		}
		if got := NewContents(model, s.RawParams).SHA256(&s.Records[0]); got != hash {
			t.Fatalf("the publisher's hash of %s is %s, the daemon's %s", spelled, hash, got)
		}
	}
	if len(seen) < 1000 {
		t.Errorf("only %d contents were tried", len(seen))
	}
}

// plainly spells a record's content out, by another library than the hash does.
func plainly(t *testing.T, r *Record) string {
	t.Helper()
	m := map[string]any{"attributes": len(r.Attributes) > 0, "all": r.Attributes}
	if len(r.Attributes) == 0 {
		delete(m, "all")
	}
	switch {
	case r.Err != nil:
		m["error"] = r.Err.String()
	case r.Messages != nil:
		m["messages"] = r.Messages
	default:
		m["text"] = r.Text
	}
	if r.Params != nil {
		m["params"] = string(r.Params)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Params that are the same but for how they are written are the same content.
func TestContentHashKnowsParamsHoweverWritten(t *testing.T) {
	r := Record{Text: "a"}
	for _, same := range [][2]string{
		{`{"n":1,"seed":2}`, "{ \"seed\": 2,\n\"n\": 1 }"}, {"", "{}"}, {"null", "{}"}, {`{"top_p":0.5}`, `{"top_p":5e-1}`},
	} {
		if a, b := NewContents("m", []byte(same[0])).SHA256(&r), NewContents("m", []byte(same[1])).SHA256(&r); a != b {
			t.Errorf("%s: %s, %s: %s", same[0], a, same[1], b)
		}
	}
	if a, b := NewContents("m", []byte(`{"seed":9007199254740993}`)), NewContents("m", []byte(`{"seed":9007199254740992}`)); a.SHA256(&r) == b.SHA256(&r) {
		t.Error("two seeds have one hash")
	}
	var none *Contents
	if none.SHA256(&r) != "" {
		t.Error("no Contents make a hash")
	}
}
