// Package sugarme runs the library sugarme/tokenizer in a process of its own, where its panics, exits and endless
// loops do no harm, and reports how its tokens compare with ours.
package sugarme

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/pretrained"

	"textmill/ground/regular"
)

// ChildCommand is what an Engine calls its own executable with, before the path of a tokenizer.json. The program must
// then do nothing but call Serve.
const ChildCommand = "sugarme-child"

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

// Serve answers the Engine that started this process until it closes the pipe, and returns the exit status.
func Serve(path string) int {
	// A signal to the group is the parent's affair: a child that dies of it would be taken for the victim of a text.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	log.SetOutput(os.Stderr)
	out := os.NewFile(answers, "answers")
	if err := serve(path, os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// questions reads a line at a time while the library works, so that a parent's end is seen amid an endless loop.
func questions(in io.Reader) <-chan []byte {
	lines := make(chan []byte)
	go func() {
		r := bufio.NewReader(in)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				os.Exit(0) //nolint:forbidigo // nobody is left to answer, and the library may never return
			}
			lines <- line
		}
	}()
	return lines
}

// load reads a tokenizer.json without its truncation and padding, which the library applies to every text and does not
// mark in what it answers.
func load(path string) (*tokenizer.Tokenizer, error) {
	data, err := regular.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read tokenizer %s: %w", path, err)
	}
	delete(fields, "truncation")
	delete(fields, "padding")
	if data, err = json.Marshal(fields); err != nil {
		return nil, err
	}
	return pretrained.FromReader(bytes.NewReader(data))
}

func serve(path string, in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	reply := func(a answer) error {
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return errors.Join(err, w.Flush())
	}
	t, err := load(path)
	if err != nil {
		return reply(answer{Error: err.Error()})
	}
	if err := reply(answer{}); err != nil {
		return err
	}
	for line := range questions(in) {
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			return err
		}
		if err := reply(encode(t, q)); err != nil {
			return err
		}
	}
	return nil
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
