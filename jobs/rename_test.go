package jobs

import "testing"

func TestWithJob(t *testing.T) {
	for in, want := range map[string]string{
		`{"job":"a","shard":0,"records":[{"job":"in a record"}]}`: `{"job":"b","shard":0,"records":[{"job":"in a record"}]}`,
		` { "shard" : 0 , "j\u006fb" :  "a" , "x":1}`:             ` { "shard" : 0 , "j\u006fb" :  "b" , "x":1}`,
		`{"shard":0,"records":[]}`:                                `{"shard":0,"records":[]}`,
		`{}`:                                                      `{}`,
	} {
		if got, err := WithJob([]byte(in), "b"); string(got) != want || err != nil {
			t.Errorf("%s becomes %s, %v", in, got, err)
		}
	}
	for _, bad := range []string{``, `[]`, `{"job"`, `{"shard":0,`, `"job"`} {
		if got, err := WithJob([]byte(bad), "b"); err == nil {
			t.Errorf("%s becomes %s", bad, got)
		}
	}
}
