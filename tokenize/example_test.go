package tokenize_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"os"

	"textmill/tokenize"
)

// miniLM is the tokenizer.json of all-MiniLM-L6-v2.
func miniLM() *tokenize.Tokenizer {
	f, err := os.Open("testdata/all-minilm-l6-v2.json.gz")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		log.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		log.Fatal(err)
	}
	t, err := tokenize.Parse(data) // tokenize.Load reads a file
	if err != nil {
		log.Fatal(err)
	}
	return t
}

func ExampleTokenizer_Encode() {
	t := miniLM()
	e, err := t.Encode("Tokenizers are fun", tokenize.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for i, id := range e.IDs {
		token, _ := t.IDToToken(id)
		fmt.Println(id, token, e.Offsets[i])
	}
	fmt.Println(t.Decode(e.IDs, true))
	// Output:
	// 101 [CLS] {0 0}
	// 19204 token {0 5}
	// 17629 ##izer {5 9}
	// 2015 ##s {9 10}
	// 2024 are {11 14}
	// 4569 fun {15 18}
	// 102 [SEP] {0 0}
	// tokenizers are fun
}

func ExampleTokenizer_Encode_truncation() {
	e, err := miniLM().Encode("read a file line by line", tokenize.Options{Truncation: &tokenize.Truncation{MaxLength: 5}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.IDs, len(e.Overflowing))
	// Output:
	// [101 3191 1037 5371 102] 1
}

// A Stream gives the text of tokens as they come, as soon as no later one can change it.
func ExampleStream() {
	t := miniLM()
	s := t.NewStream(true)
	for _, id := range []int32{101, 19204, 17629, 2015, 102} {
		fmt.Printf("%q\n", s.Add(id))
	}
	fmt.Printf("%q\n", s.Flush())
	// Output:
	// ""
	// "token"
	// "izer"
	// "s"
	// ""
	// ""
}
