package tokenize

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// corpora reads the texts that speed is measured on.
func corpora(b *testing.B) map[string][]string {
	b.Helper()
	all := map[string][]string{}
	for _, name := range []string{"english", "code", "multilingual"} {
		data, err := os.ReadFile("../.cache/corpora/" + name + ".json")
		if err != nil {
			b.Fatalf("%v; run: .cache/venv/bin/python tokenize/conformance/corpora.py", err)
		}
		var texts []string
		if err := json.Unmarshal(data, &texts); err != nil {
			b.Fatal(err)
		}
		all[name] = texts
	}
	return all
}

// BenchmarkTokenize takes every fetched tokenizer through every corpus: cold and warm, IDs with offsets as the daemon needs
// them, and the whole Encoding.
func BenchmarkTokenize(b *testing.B) {
	texts := corpora(b)
	eachFetched(b, func(b *testing.B, data []byte) {
		t, err := Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		for _, kind := range []string{"english", "code", "multilingual"} {
			b.Run(kind+"/ids/cold", func(b *testing.B) { pace(b, t, texts[kind], true, bodies) })
			b.Run(kind+"/ids/warm", func(b *testing.B) { pace(b, t, texts[kind], false, bodies) })
			b.Run(kind+"/encode/cold", func(b *testing.B) { pace(b, t, texts[kind], true, encodings) })
			b.Run(kind+"/encode/warm", func(b *testing.B) { pace(b, t, texts[kind], false, encodings) })
		}
	})
}

// BenchmarkParse reads each fetched tokenizer.json.
func BenchmarkParse(b *testing.B) {
	eachFetched(b, func(b *testing.B, data []byte) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func eachFetched(b *testing.B, f func(b *testing.B, data []byte)) {
	files, err := filepath.Glob("../.cache/tokenizers/*/tokenizer.json")
	if err != nil || len(files) == 0 {
		b.Fatalf("no tokenizers (%v); run: .cache/venv/bin/python tokenize/conformance/fetch.py", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(filepath.Dir(file)), func(b *testing.B) { f(b, data) })
	}
}

func pace(b *testing.B, t *Tokenizer, texts []string, cold bool, run func(*testing.B, *Tokenizer, []string) int) {
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	b.SetBytes(int64(size))
	if !cold {
		run(b, t, texts)
	}
	runtime.GC()
	tokens := 0
	for b.Loop() {
		if cold {
			t.scratch = sync.Pool{New: t.scratch.New} // the word caches are in what it holds
		}
		tokens += run(b, t, texts)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}

func bodies(_ *testing.B, t *Tokenizer, texts []string) (tokens int) {
	var body, ids, types []int32
	var spans []Span
	for _, text := range texts {
		var err error
		if body, spans, err = t.AppendBody(body[:0], spans[:0], text); err != nil {
			panic(err)
		}
		ids, types = t.AppendInput(ids[:0], types[:0], body)
		tokens += len(ids)
	}
	return tokens
}

func encodings(b *testing.B, t *Tokenizer, texts []string) (tokens int) {
	for _, text := range texts {
		e, err := t.Encode(text, Options{})
		if err != nil {
			b.Fatal(err)
		}
		tokens += e.Len()
	}
	return tokens
}
