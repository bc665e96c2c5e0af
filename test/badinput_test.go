package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/internal/foreign"
)

// huge is a text of 10 MB.
var huge = strings.Repeat("words ", 10_000_000/6)

// TestBadInput gives one daemon all that users get wrong, and after each checks what became of it. The daemon must live
// on, and good records beside bad ones must become rows.
func TestBadInput(t *testing.T) {
	files := t.TempDir()
	d := startDaemon(t, newHome(t), "TEXTMILL_INPUT_ROOTS="+files)
	for _, tc := range []struct {
		name string
		run  func(*testing.T, *daemon, string)
	}{
		{"a bad record is an error row and its neighbours are rows", badRecords},
		{"bytes that are no UTF-8 are error rows in whatever message", badBytes},
		{"a text too large for a message is an error row where there are no claims", hugeBySubmit},
		{"a text of 10 MB in an input is cut and says so", hugeByInput},
		{"an input that is missing, changed or elsewhere is a dead letter", badInputs},
		{"a message that is no job is a dead letter", badMessages},
		{"a model that nobody serves keeps its messages and is listed", unknownModel},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.run(t, d, files)
			name := strings.ToLower(strings.Map(letters, tc.name))
			d.submit("good", name, `{"id":"`+name+`","text":"all is well"}`)
			d.client().ok(t, "watch", name)
		})
	}
	if n := len(rows(t, d.table("good"))); n != 7 {
		t.Errorf("%d good rows, want 7", n)
	}
	if code, body := get(t, d.http+"/readyz", ""); code != 200 {
		t.Errorf("the daemon is not ready any more: %d %s", code, body)
	}
}

// over waits until a delivery of a job is settled.
func (d *daemon) over(job string) {
	d.t.Helper()
	d.await(logged("delivery settled")+`,"job":`+quoted(job), 1)
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}

func badRecords(t *testing.T, d *daemon, _ string) {
	d.submit("records", "records", strings.Join([]string{
		`{"id":"fine","text":"before"}`, `{"id":"no text"}`, `{"id":"number","text":5}`, `not json`, `{"id":"fine","text":"twice"}`,
		`{"id":"nul","text":"nul \u0000 byte"}`, `{"id":"lone","text":"\udc00"}`, "{\"id\":\"latin\",\"text\":\"caf\xe9\"}", `{"id":"after","text":"after"}`,
	}, "\n"))
	d.client().ok(t, "watch", "records")
	var classes []string
	for _, r := range lines[row](t, foreign.Python(t, deltaRows, d.table("records"))) {
		class, _, _ := strings.Cut(r.Error, ":")
		classes = append(classes, r.ID+"="+class)
		if r.ID == "nul" && (r.Text != "nul \x00 byte" || r.NTokens == 0) {
			t.Errorf("the text with a NUL byte: %+v", r)
		}
	}
	slices.Sort(classes) // error rows lie in a file of their own
	want := "0-3=invalid_record after= fine= fine=duplicate_id latin=bad_utf8 lone=bad_utf8 no text=invalid_record nul= number=invalid_record"
	if got := strings.Join(classes, " "); got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
}

func badBytes(t *testing.T, d *daemon, _ string) {
	const header = `"headers":{"Content-Type":"text/plain","Textmill-Dataset":"bytes","Nats-Msg-Id":`
	subject := `{"subject":"textmill.jobs.embed.` + model + `",`
	d.publishRaw(`[` + subject + header + `"plain"},"data":"caf\udce9"},` + subject + header + `"nul"},"data":"a\u0000b"},` +
		subject + `"data":"{\"job\":\"bytes\",\"shard\":0,\"dataset\":\"bytes\",\"records\":[{\"id\":\"json\",\"text\":\"\udcff\"},{\"id\":\"good\",\"text\":\"x\"}]}"}]`)
	got := d.settled("bytes", 4)
	for id, bad := range map[string]bool{"plain": true, "json": true, "nul": false, "good": false} {
		if strings.HasPrefix(got[id].Error, "bad_utf8: ") != bad || !bad && got[id].Error != "" {
			t.Errorf("record %s: %+v", id, got[id])
		}
	}
	if got["nul"].Text != "a\x00b" {
		t.Errorf("the text with a NUL byte: %+v", got["nul"])
	}
}

func hugeBySubmit(t *testing.T, d *daemon, files string) {
	file := filepath.Join(files, "submit.jsonl")
	write(t, file, `{"id":"small","text":"x"}`+"\n"+`{"id":"huge","text":"`+huge+`"}`+"\n"+`{"id":"last","text":"y"}`+"\n")
	c := d.client()
	c.env = append(c.env, "TEXTMILL_LIMITS_CLAIM_BYTES=0")
	r := c.ok(t, "submit", "--model", model, "--dataset", "huge", "--job", "huge", file)
	got := rows(t, d.table("huge"))
	if len(got) != 3 || !strings.HasPrefix(got["huge"].Error, "too_long: ") || got["small"].Error+got["last"].Error != "" {
		t.Errorf("rows: %.2000v", got)
	}
	if !strings.Contains(r.stderr, "huge") {
		t.Errorf("submit does not name the record:\n%s", r.stderr)
	}
}

func hugeByInput(t *testing.T, d *daemon, files string) {
	file := filepath.Join(files, "input.jsonl")
	write(t, file, `{"id":"small","text":"x"}`+"\n"+`{"id":"huge","text":"`+huge+`"}`+"\n")
	d.publish(message{Subject: "textmill.jobs.embed." + model, Data: reference(t, "byinput", file, nil)})
	d.over("byinput")
	out := foreign.Python(t, `
import sys
from deltalake import DeltaTable
for r in DeltaTable(sys.argv[1]).to_pyarrow_table().sort_by("record_id").to_pylist():
    print(r["record_id"], r["error"], r["n_tokens"], r["truncated"], r["n_dropped"], len(r["text"]), len(r["embedding"]))
`, d.table("byinput"))
	n := 10_000_000 / 6
	want := fmt.Sprintf("huge None 256 True %d %d 384\nsmall None 3 False 0 1 384\n", n-254, len(huge))
	if out != want {
		t.Errorf("rows are\n%swant\n%s", out, want)
	}
	answer := call{home: d.home, env: quick, stdin: `{"id":"huge","text":"` + huge + `"}` + "\n" + `{"id":"small","text":"x"}` + "\n"}
	all := lines[embedded](t, answer.ok(t, "embed", "--model", model).stdout)
	if len(all) != 2 || all[0].NTokens != 256 || all[0].NDropped != n-254 || !all[0].Truncated || all[1].NTokens != 3 {
		t.Errorf("embed: %d answers, the first with %d tokens, %d dropped", len(all), all[0].NTokens, all[0].NDropped)
	}
}

// reference is a job whose one shard points to a whole file; change may spoil it.
func reference(t *testing.T, job, file string, change func(input map[string]any)) string {
	t.Helper()
	input := map[string]any{"uri": "file://" + file, "format": "jsonl", "offset": 0, "length": 10, "size": 10, "mtime": "2026-01-02T03:04:05Z"}
	if st, err := os.Stat(file); err == nil {
		input["length"], input["size"], input["mtime"] = st.Size(), st.Size(), st.ModTime().UTC().Format(time.RFC3339Nano)
	}
	if change != nil {
		change(input)
	}
	b, err := json.Marshal(map[string]any{"job": job, "shard": 0, "shards": 1, "dataset": job, "input": input})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func badInputs(t *testing.T, d *daemon, files string) {
	file := filepath.Join(files, "changes.jsonl")
	write(t, file, `{"id":"a","text":"x"}`+"\n")
	before := len(d.dead(0))
	for job, payload := range map[string]string{
		"missing":   reference(t, "missing", filepath.Join(files, "nobody-wrote-this.jsonl"), nil),
		"changed":   reference(t, "changed", file, func(in map[string]any) { in["size"] = 1 << 20 }),
		"forbidden": reference(t, "forbidden", "/etc/passwd", nil),
		"climbing":  reference(t, "climbing", file, func(in map[string]any) { in["uri"] = "file://" + files + "/../../etc/passwd" }),
	} {
		d.publish(message{Subject: "textmill.jobs.embed." + model + "." + job, Data: payload})
		d.over(job)
		if r := d.client().run(t, "watch", job); r.code != 1 {
			t.Errorf("watch %s: exit %d, want 1 for a job that ended as a dead letter\n%s", job, r.code, r.stderr)
		}
	}
	got := map[string]string{}
	for _, l := range d.dead(before + 4)[before:] {
		got[l.Job] = l.Class
	}
	want := map[string]string{"missing": "input_missing", "changed": "input_changed", "forbidden": "input_forbidden", "climbing": "input_forbidden"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("dead letters are %v, want %v", got, want)
	}
}

func badMessages(t *testing.T, d *daemon, _ string) {
	before := len(d.dead(0))
	for _, payload := range []string{
		`{"job":`, `[]`, `{"job":"j","shard":0}`, `{"job":"j","shard":0,"records":{"id":"a"}}`, `{"job":"j","shard":0,"records":[]}`,
		`{"job":"j/k","shard":0,"records":[{"text":"x"}]}`, `{"job":"j","shard":0,"dataset":"../x","records":[{"text":"x"}]}`,
	} {
		before++
		d.publish(message{Subject: "textmill.jobs.embed." + model, Data: payload})
		all := d.dead(before)
		if l := all[len(all)-1]; len(all) != before || l.Class != "invalid_job" || l.Reason == "" {
			t.Errorf("%s became %+v", payload, l)
		}
	}
	d.publish(message{Subject: "textmill.jobs.embed." + model, Data: `{"job":"p","shard":0,"shards":1,"dataset":"params","params":{"poolin":"cls"},"records":[{"id":"a","text":"x"}]}`})
	d.over("p")
	if r := rows(t, d.table("params"))["a"]; !strings.HasPrefix(r.Error, "invalid_param: ") || !strings.Contains(r.Error, "pooling") {
		t.Errorf("an unknown param: %+v", r)
	}
}

func unknownModel(t *testing.T, d *daemon, _ string) {
	c := d.client()
	c.stdin = `{"id":"a","text":"x"}`
	refused := c.run(t, "submit", "--model", "all-minilm", "--job", "unserved", "-")
	if refused.code != 2 || !strings.Contains(refused.stderr, model) || !strings.Contains(refused.stderr, "--force") {
		t.Errorf("an unknown model: exit %d, %s", refused.code, refused.stderr)
	}
	if r := d.client().run(t, "status", "unserved"); r.code != 1 {
		t.Errorf("the refused job is known: %s", r.stdout)
	}
	c.ok(t, "submit", "--model", "all-minilm", "--job", "unserved", "--force", "--no-wait", "-")
	r := d.client().ok(t, "status")
	if !strings.Contains(r.stdout, "unserved") || !strings.Contains(r.stderr, "textmill.jobs.embed.all-minilm.unserved") {
		t.Errorf("status:\n%s%s", r.stdout, r.stderr)
	}
	d.await(logged("messages wait for a model that no daemon serves"), 1)
	waitUntil(t, "the metric counts the subject", func() bool {
		_, body := get(t, d.http+"/metrics", "")
		return strings.Contains(body, "textmill_unserved_subjects 1\n")
	})
	events := foreign.Python(t, `
import asyncio, sys, nats
async def main(url):
    nc = await nats.connect(url)
    events = await nc.jetstream().subscribe("textmill.events.unserved", ordered_consumer=True)
    while True:
        data = (await events.next_msg(timeout=30)).data.decode()
        if '"unserved"' in data.split(",")[0]: break
    print(data)
    await nc.close()
asyncio.run(main(sys.argv[1]))
`, d.nats)
	if !strings.Contains(events, `"job":"unserved"`) {
		t.Errorf("event: %s", events)
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
