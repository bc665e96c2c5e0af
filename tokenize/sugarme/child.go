// Package sugarme runs the library sugarme/tokenizer in a process of its own, where its panics, exits and endless loops
// do no harm, and reports how its tokens compare with ours.
package sugarme

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/pretrained"
)

// childVariable in the environment makes a process that calls Child answer questions instead of doing its own work.
const childVariable = "TEXTMILL_SUGARME_CHILD"

// answers is the file descriptor for answers: the library writes to standard output as it likes.
const answers = 3

type question struct {
	Text     string `json:"text"`
	Specials bool   `json:"specials"`
}

type answer struct {
	Encoding
	Error string `json:"error,omitempty"`
}

// Child reports whether this process was started by an Engine. Its main must then do nothing but call Serve, before
// anything else.
func Child() bool { return os.Getenv(childVariable) != "" }

// Serve answers the Engine that started this process until it closes the pipe, and returns the exit status.
func Serve() int {
	log.SetOutput(os.Stderr)
	out := os.NewFile(answers, "answers")
	if err := serve(os.Getenv(childVariable), os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(path string, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	w := bufio.NewWriter(out)
	reply := func(a answer) error {
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return errors.Join(err, w.Flush())
	}
	t, err := pretrained.FromFile(path)
	if err != nil {
		return reply(answer{Error: err.Error()})
	}
	if err := reply(answer{}); err != nil {
		return err
	}
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			return err
		}
		if err := reply(encode(t, q)); err != nil {
			return err
		}
	}
}

func encode(t *tokenizer.Tokenizer, q question) answer {
	input := tokenizer.NewSingleEncodeInput(tokenizer.NewInputSequence(q.Text))
	e, err := t.Encode(input, q.Specials) // in bytes: its character offsets lose the last one
	if err != nil {
		return answer{Error: err.Error()}
	}
	var a answer
	for i, id := range e.Ids {
		a.IDs = append(a.IDs, int32(id))
		if i < len(e.Tokens) {
			a.Tokens = append(a.Tokens, e.Tokens[i])
		}
		if i < len(e.TypeIds) {
			a.TypeIDs = append(a.TypeIDs, int32(e.TypeIds[i]))
		}
		if i < len(e.Offsets) && len(e.Offsets[i]) == 2 {
			a.Offsets = append(a.Offsets, [2]int32{int32(e.Offsets[i][0]), int32(e.Offsets[i][1])})
		}
	}
	return a
}
