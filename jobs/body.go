package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
)

var allowedKeys = []string{"job", "shard", "shards", "dataset", "records", "input", "params", "sync", "on_repeat"}

// bodyReader reads a job message's JSON in one pass; records keep their raw
// bytes until each is judged for itself, whether they are JSON or not.
type bodyReader struct {
	scanner
	shard   *Shard
	limits  Limits
	records recordParser
	seen    map[string]bool
	params  jsontext.Value
	sync    string
}

// body reads a JSON message into s; a stub has neither records nor params. named says that it gives job and shard.
func (s *Shard) body(data []byte, subjectJob string, l Limits, stub bool) (named bool, err error) {
	if err := checkObject(data); err != nil {
		return false, err
	}
	b := bodyReader{
		scanner: scanner{data: data},
		shard:   s,
		limits:  l,
		seen:    make(map[string]bool),
	}
	if err := b.object(); err != nil {
		if extent := (*extentError)(nil); errors.As(err, &extent) {
			return false, notJSON("%v", err)
		}
		return false, err
	}
	if b.sync != "" && s.OnRepeat != "" {
		return false, invalidf("both sync and on_repeat are given; a sync replaces the rows of its records by itself")
	}
	if b.sync != "" {
		s.Dataset = naming.Staging(s.Dataset, b.sync)
	}
	s.RawParams = bytes.Clone(b.params)
	s.parseParams(s.RawParams)
	switch {
	case stub && (b.seen["records"] || s.Input != nil || b.params != nil):
		return false, invalidf("records, input and params stand beside a claim; they belong into its payload")
	case stub:
	case s.Records == nil && s.Input == nil:
		return false, invalidf("the message has no records: give records or input")
	case s.Records != nil && s.Input != nil:
		return false, invalidf("both records and input are given; give one")
	}
	return b.seen["shard"] && (b.seen["job"] || subjectJob != ""), nil
}

func notJSON(format string, args ...any) *Invalid {
	return invalidf("the payload is not JSON: %s; send header Content-Type: text/plain if it is a text",
		fmt.Sprintf(format, args...))
}

// checkObject refuses what does not even begin as a JSON object.
func checkObject(data []byte) error {
	s := scanner{data: data}
	v := jsontext.Value(data)
	switch {
	case s.peek() == '{':
		return nil
	case s.at == len(data):
		return notJSON("it is empty")
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return notJSON("it begins with a byte order mark")
	case v.IsValid(anyNames, anyUTF8):
		return invalidf("the payload is %s, not a JSON object", kindName(v.Kind()))
	case !utf8.Valid(data):
		return notJSON("it is not UTF-8, and begins with bytes % x", data[:min(len(data), 8)])
	}
	return notJSON("it begins with %q", clip(string(data[s.at:])))
}

func (b *bodyReader) object() error {
	b.take('{')
	for more := b.peek() != '}'; more; more = b.take(',') {
		name, err := b.key()
		if err == nil {
			err = b.member(name)
		}
		if err != nil {
			return err
		}
	}
	if !b.take('}') {
		if b.at == len(b.data) {
			return b.fail("it ends too early,")
		}
		return b.fail("neither a comma nor the end of the object")
	}
	if b.space(); b.at < len(b.data) {
		return invalidf("more follows the JSON object")
	}
	return nil
}

func (b *bodyReader) member(name string) error {
	if b.seen[name] {
		return invalidf("key %q occurs twice", clip(name))
	}
	if name == "records" && b.peek() == '[' {
		b.seen[name] = true
		return b.readRecords()
	}
	raw, err := b.value()
	if err != nil {
		return err
	}
	switch v := jsontext.Value(raw); {
	case v.Kind() == 'n' && v.IsValid() && slices.Contains(allowedKeys, name):
		return nil
	case v.IsValid(anyNames):
		b.seen[name] = true
		return b.field(name, v)
	case v.IsValid(anyNames, anyUTF8):
		return invalidf("%s: not valid UTF-8, or half a surrogate pair", clip(name))
	}
	return invalidf("%s: not JSON: %s", clip(name), whyNotJSON(raw))
}

func (b *bodyReader) field(name string, v jsontext.Value) error {
	s := b.shard
	switch name {
	case "job":
		return b.job(v)
	case "shard":
		id, err := shardID(v)
		s.ID = id
		return err
	case "shards":
		n, err := integer(v, "shards", 1, math.MaxInt32)
		s.Shards = int(n)
		return err
	case "dataset":
		if v.Kind() != '"' {
			return invalidf("dataset: want a string, have %s", kindName(v.Kind()))
		}
		s.Dataset = unquote(v)
		if err := naming.CheckDataset(s.Dataset); err != nil {
			return invalidf("dataset: %v", err)
		}
	case "sync":
		if v.Kind() != '"' {
			return invalidf("sync: want a string, have %s", kindName(v.Kind()))
		}
		b.sync = unquote(v)
		if err := naming.CheckSync(b.sync); err != nil {
			return invalidf("sync: %v", err)
		}
	case "on_repeat":
		return b.onRepeat(v)
	case "records":
		return invalidf("records: want an array, have %s", kindName(v.Kind()))
	case "input":
		in, err := parseInput(v)
		s.Input = in
		return err
	case "params":
		if v.Kind() != '{' {
			return invalidf("params: want an object, have %s", kindName(v.Kind()))
		}
		b.params = v
	default:
		return invalidf("unknown key %q; a message has %s", clip(name), strings.Join(allowedKeys, ", "))
	}
	return nil
}

func (b *bodyReader) job(v jsontext.Value) error {
	if v.Kind() != '"' {
		return invalidf("job: want a string, have %s", kindName(v.Kind()))
	}
	job := unquote(v)
	if err := naming.CheckJob(job); err != nil {
		return invalidf("job: %v", err)
	}
	return b.shard.setJob(job, "job")
}

func (b *bodyReader) onRepeat(v jsontext.Value) error {
	if v.Kind() != '"' {
		return invalidf("on_repeat: want a string, have %s", kindName(v.Kind()))
	}
	b.shard.OnRepeat = unquote(v)
	if err := naming.CheckOnRepeat(b.shard.OnRepeat); err != nil {
		return invalidf("on_repeat: %v", err)
	}
	return nil
}

func (b *bodyReader) readRecords() error {
	b.take('[')
	for more := b.peek() != ']'; more; more = b.take(',') {
		raw, err := b.value()
		if err != nil {
			return fmt.Errorf("records[%d]: %w", len(b.shard.Records), err)
		}
		if most := b.limits.RecordsPerShard; most > 0 && len(b.shard.Records) == most {
			return invalidf("records: more than %d in one shard", most)
		}
		b.shard.Records = append(b.shard.Records, b.records.parse(raw))
	}
	if !b.take(']') {
		if b.at == len(b.data) {
			return b.fail("it ends too early,")
		}
		return b.fail("the end of records is missing")
	}
	return nil
}

func shardID(v jsontext.Value) (string, error) {
	switch v.Kind() {
	case '"':
		id := unquote(v)
		if err := naming.CheckShard(id); err != nil {
			return "", invalidf("shard: %v", err)
		}
		return id, nil
	case '0':
		if _, err := integer(v, "shard", 0, math.MaxInt64); err != nil {
			return "", err
		}
		return string(v), nil
	}
	return "", invalidf("shard: want a number or a string, have %s", kindName(v.Kind()))
}

func integer(v jsontext.Value, path string, least, most int64) (int64, error) {
	if v.Kind() != '0' {
		return 0, invalidf("%s: want a whole number, have %s", path, kindName(v.Kind()))
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || string(v) != strconv.FormatInt(n, 10) {
		return 0, invalidf("%s: %s is not a whole number that can be used here", path, clip(string(v)))
	}
	if n < least || n > most {
		return 0, invalidf("%s: %d is not within %d and %d", path, n, least, most)
	}
	return n, nil
}

// clip shortens what a publisher sent before it goes into a message.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}
