package jobs

import (
	"strings"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	e := Envelope{Job: "j", Shard: "0", Dataset: "d"}
	payload := e.Open(nil)
	for i := range 1000 {
		r := Record{Text: strings.Repeat("A line of text, and \"quotes\".\n", 7), Attributes: map[string]string{"lang": "en"}}
		if payload = r.AppendJSON(payload); i < 999 {
			payload = append(payload, ',')
		}
	}
	payload = e.Close(payload)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(Message{Subject: "textmill.jobs.embed.m", Data: payload}, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
