package jobs

import (
	"errors"
	"strings"
	"testing"
)

func TestOnRepeatOfAMessage(t *testing.T) {
	decode := func(body string, h Header) (*Shard, error) {
		return Decode(Message{Subject: "textmill.jobs.embed.m", Header: h, Data: []byte(body), Sequence: 7}, Limits{})
	}
	s, err := decode(`{"job":"j","shard":3,"on_repeat":"skip","records":[{"id":"a","text":"x"},{"text":"y"}]}`, nil)
	if err != nil || s.OnRepeat != "skip" || s.Records[0].Placed || !s.Records[1].Placed || s.Records[1].ID != "3-1" {
		t.Errorf("%+v, %v", s, err)
	}
	plain := Header{HeaderContentType: {"text/plain"}}
	if s, err = decode("x", plain); err != nil || !s.Records[0].Placed || s.OnRepeat != "" {
		t.Errorf("%+v, %v", s, err)
	}
	plain[HeaderMsgID] = []string{"own"}
	if s, err = decode("x", plain); err != nil || s.Records[0].Placed {
		t.Errorf("%+v, %v", s, err)
	}
	for body, want := range map[string]string{
		`{"on_repeat":"never","records":[]}`:                          "append, replace, skip",
		`{"on_repeat":1,"records":[]}`:                                "want a string",
		`{"on_repeat":"skip","sync":"0123456789abcdef","records":[]}`: "sync",
	} {
		var invalid *Invalid
		if _, err := decode(body, nil); !errors.As(err, &invalid) || !strings.Contains(invalid.Reason, want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	e := Envelope{Job: "j", Shard: "3", Dataset: "d", OnRepeat: "replace"}
	if s, err = decode(string(e.Encode(Record{ID: "a", Text: "x"})), nil); err != nil || s.OnRepeat != "replace" {
		t.Errorf("%+v, %v", s, err)
	}
}
