package jobs

import "testing"

func TestUndecodableMessagesAreNamed(t *testing.T) {
	const shared, own = "textmill.jobs.embed.m", "textmill.jobs.embed.m.mine"
	for _, c := range []struct {
		what, subject, data string
		header              Header
		want                Named
	}{
		{"all of it", shared, `{"job":"j","shard":3,"dataset":"d","records":7}`, nil, Named{"j", "3", "d"}},
		{"after what is wrong", shared, `{"records":7,"shard":"a","job":"j"}`, nil, Named{"j", "a", ""}},
		{"before it breaks off", shared, `{"job":"j","records":[{"te`, nil, Named{Job: "j"}},
		{"the subject's job", own, `{"job":"j","shard":1}`, nil, Named{Job: "mine", Shard: "1"}},
		{"the header's", shared, `{"job":"j","shard":1}`, Header{HeaderJob: {"h"}, HeaderDataset: {"hd"}}, Named{"h", "1", "hd"}},
		{"names that are none", shared, `{"job":"a.b","shard":"a/b","dataset":"../x"}`, nil, Named{}},
		{"values that are none", shared, `{"job":nope,"shard":1.5,"dataset":"\ud800"}`, nil, Named{}},
		{"a text", shared, `{"job":"j"}`, Header{HeaderContentType: {"text/plain"}}, Named{Job: "text"}},
		{"a retry", shared, `{"job":"j","shard":1,"records":0}`, Header{HeaderRetry: {"2"}}, Named{Job: "j", Shard: "1/r2"}},
		{"nothing", "else", `[`, nil, Named{}},
	} {
		if got := (Message{Subject: c.subject, Header: c.header, Data: []byte(c.data)}).Named(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}
