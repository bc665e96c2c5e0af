package generation

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/internal/golden"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/generate"
	"textmill/tokenize/chat"
	"textmill/work/rows"
)

// templates is where make has brought the templates of real models.
const templates = "../../.cache/templates"

// A family is a tiny checkpoint with a family's tokens, template and ends, and what transformers has its conversations go on with.
type family struct {
	Family, Tiny string
	Files        map[string]json.RawMessage
	Template     string // a file below templates; "" where Files have it
	EOS          json.RawMessage
	Cases        []chatCase
}

type chatCase struct {
	Messages json.RawMessage
	Prompt   string  // the template's text
	IDs      []int32 // of it
	New      []int32 // with the token that ends the text
	Text     string
}

// checkpoint writes the directory that import takes.
func (f *family) checkpoint(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), f.Family)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../models/checkpoint/testdata/tiny", f.Tiny))); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name, content := range f.Files {
		files[name] = content
		if text := ""; json.Unmarshal(content, &text) == nil {
			files[name] = []byte(text)
		}
	}
	var config map[string]json.RawMessage
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	config["eos_token_id"] = f.EOS
	if files["config.json"], err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if f.Template != "" {
		template, err := os.ReadFile(filepath.Join(templates, f.Template))
		if errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%v; run: make %s", err, ".cache/templates/rendered.jsonl.gz")
		}
		if err != nil {
			t.Fatal(err)
		}
		files["chat_template.jinja"] = template
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (f *family) engine(t *testing.T) *Engine {
	t.Helper()
	made, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: f.checkpoint(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(made.Dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	template, note, err := LoadTemplate(spec)
	if err != nil || template == nil {
		t.Fatalf("%s, %v", note, err)
	}
	g, err := generate.Open(t.Context(), spec, generate.Options{Tokenizer: tok, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return New(Options{Spec: spec, Generator: g, Tokenizer: tok, Template: template})
}

// A conversation becomes the prompt that transformers makes of it, by the template, the special tokens and the tokenizer that
// came with the checkpoint, and goes on until one of the ends that generation_config.json names, whichever it is.
func TestConversationsOfEachFamilyAreTransformers(t *testing.T) {
	families := golden.Values[family](t, "testdata/chats.jsonl.gz")
	if len(families) < 9 {
		t.Errorf("%d families", len(families))
	}
	for _, f := range families {
		t.Run(f.Family, func(t *testing.T) {
			e := f.engine(t)
			ends := map[int32]bool{}
			for _, c := range f.Cases {
				record := f.compare(t, e, c)
				if last := c.New[len(c.New)-1]; record.FinishReason == generate.FinishEOS {
					ends[last] = true
				}
			}
			if own := e.o.Spec.Generation.EOS; len(ends) != len(own) {
				t.Errorf("of the ends %v only %v ended a text", own, ends)
			}
		})
	}
}

// compare runs a conversation as a job's record, and gives its row.
func (f *family) compare(t *testing.T, e *Engine, c chatCase) export.Row {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"job": "j", "shard": 0, "params": map[string]any{"max_new_tokens": 32, "temperature": 0},
		"records": []any{map[string]any{"id": "a", "messages": c.Messages}}})
	if err != nil {
		t.Fatal(err)
	}
	shard, err := jobs.Decode(jobs.Message{Subject: jobs.Subject{Task: naming.TaskGenerate, Model: "m", Job: "j"}.String(), Header: jobs.Header{}, Data: raw},
		jobs.Limits{RecordsPerShard: 1, RecordBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	text, o, err := e.render(&shard.Records[0], shard.Generate)
	if err != nil {
		t.Fatalf("%s: %v", c.Messages, err)
	}
	if text != c.Prompt {
		t.Errorf("%s:\n got %q\nwant %q", c.Messages, text, c.Prompt)
	}
	if enc, err := e.o.Tokenizer.Encode(text, o); err != nil || !slices.Equal(enc.IDs, c.IDs) {
		t.Errorf("%s: %v, %v\ntransformers has %v", c.Messages, enc.IDs, err, c.IDs)
	}
	done := make(chan export.Row, 1)
	if err := e.Work(shard, rows.Origin{Job: "j"}).Do(t.Context(), shard.Records[0], func(r []export.Row) { done <- r[0] }); err != nil {
		t.Fatal(err)
	}
	row, finish := <-done, generate.FinishLength
	if slices.Contains(e.o.Spec.Generation.EOS, c.New[len(c.New)-1]) {
		finish = generate.FinishEOS
	}
	if row.Error != "" || row.Output.V != c.Text || row.FinishReason != finish || !slices.Equal(row.OutputIDs, c.New) {
		t.Errorf("%s: %v %q (%s) %s\ntransformers has %v %q", c.Messages, row.OutputIDs, row.Output.V, row.FinishReason, row.Error, c.New, c.Text)
	}
	return row
}

// Wherever a checkpoint keeps its templates, its bundle has them.
func TestTemplatesComeWithTheCheckpoint(t *testing.T) {
	source := filepath.Join(t.TempDir(), "tiny")
	if err := os.CopyFS(source, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(source, "additional_chat_templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"chat_template.json": `{"chat_template":"json"}`, "additional_chat_templates/tool_use.jinja": "tools"} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := chat.LoadConfig(made.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "json", "tool_use": "tools"} {
		template, err := c.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(chat.Conversation{Messages: json.RawMessage("[]")}); err != nil || got != want {
			t.Errorf("template %q gives %q, %v; want %q", name, got, err, want)
		}
	}
}
