package input

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// PartAttribute is the attribute by which a record says that it is one input of a batch request that has several.
const PartAttribute = "openai_batch"

// Part says which input of which request a record is. Requests that are the same, byte by byte, have the same Request.
type Part struct {
	CustomID string `json:"custom_id"`
	Index    int    `json:"index"`
	Inputs   int    `json:"inputs"`
	Request  string `json:"request"`
}

// partMark begins what stands behind the custom_id in the id of a part.
const partMark = "#input["

func (p Part) id() string { return p.CustomID + partMark + strconv.Itoa(p.Index) + "]" }

// PartOf reads a record's Part; ok is false for one that is a request of its own, whatever attributes it has.
func PartOf(id string, attributes map[string]string) (p Part, ok bool) {
	raw := attributes[PartAttribute]
	if raw == "" || json.Unmarshal([]byte(raw), &p) != nil {
		return Part{}, false
	}
	if p.id() != id || p.Inputs < 2 || p.Index < 0 || p.Index >= p.Inputs {
		return Part{}, false
	}
	return p, true
}

// CustomID is the custom_id of a request that is one record: its id, but for those that look like a part's.
func CustomID(id string, attributes map[string]string) string {
	var p Part
	if raw := attributes[PartAttribute]; raw != "" && json.Unmarshal([]byte(raw), &p) == nil && p.Inputs == 1 &&
		p.CustomID+partMark+"]" == id {
		return p.CustomID
	}
	return id
}

// attribute is how a record carries the part.
func (p Part) attribute() map[string]string {
	raw, err := json.Marshal(p)
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	return map[string]string{PartAttribute: string(raw)}
}

// KeepPart is what remains of a record's attributes where there is no room for all of them.
func KeepPart(attributes map[string]string) map[string]string {
	if raw, ok := attributes[PartAttribute]; ok {
		return map[string]string{PartAttribute: raw}
	}
	return nil
}

// whole names a record that is the whole request. An id that looks like a part's gets a mark of its own, so that no
// two requests can come to have the same record.
func (q *request) whole(it Item) Item {
	it.Record.ID = q.id
	if _, tail, ok := cutLast(q.id, partMark); ok && strings.Trim(tail, "0123456789") == "]" {
		it.Record.ID = q.id + partMark + "]"
		q.mark(&it, Part{CustomID: q.id, Inputs: 1, Request: q.hash()})
	}
	return it
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (q *request) mark(it *Item, p Part) {
	if it.Record.Attributes == nil {
		it.Record.Attributes = p.attribute()
		return
	}
	it.Record.Attributes[PartAttribute] = p.attribute()[PartAttribute]
}

func (q *request) hash() string {
	sum := sha256.Sum256(q.raw)
	return hex.EncodeToString(sum[:12])
}

// list makes a record of each text of a list. A list that cannot be carried whole is one error, as OpenAI answers it.
func (q *request) list() []Item {
	texts, e := q.texts()
	switch {
	case e != nil:
		return []Item{q.failed(e)}
	case len(texts) == 0:
		return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.%s is an empty list", q.key()))}
	case len(texts) == 1:
		return []Item{q.whole(q.item(texts[0]))}
	}
	items := make([]Item, len(texts))
	part := Part{CustomID: q.id, Inputs: len(texts), Request: q.hash()}
	for i, text := range texts {
		it := q.item(text)
		if it.Record.Err != nil {
			it.Record.Err.Message = fmt.Sprintf("body.%s[%d]: ", q.key(), i) + it.Record.Err.Message
			return []Item{q.whole(it)}
		}
		part.Index = i
		it.Record.ID = part.id()
		q.mark(&it, part)
		items[i] = it
	}
	return items
}

// texts are the JSON strings of the list of inputs.
func (q *request) texts() ([][]byte, *jobs.RecordError) {
	dec := jsontext.NewDecoder(bytes.NewReader(q.inputs), lenient...)
	if _, err := dec.ReadToken(); err != nil {
		return nil, q.wrong(jobs.InvalidRecord, "body.%s: %v", q.key(), err)
	}
	var texts [][]byte
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, q.wrong(jobs.InvalidRecord, "body.%s: %v", q.key(), err)
		}
		switch value.Kind() {
		case '"':
		case '0', '[': // the whole list is one text as token IDs, or each element is
			return nil, q.wrong(jobs.InvalidRecord,
				"body.%s holds token IDs, which mean other texts to another model; send the text", q.key())
		default:
			return nil, q.wrong(jobs.InvalidRecord, "body.%s[%d] %s: a string is needed", q.key(), len(texts), shown(value))
		}
		if most := q.mostInputs(); len(texts) == most {
			return nil, q.wrong(jobs.InvalidRecord, "body.%s has more than %d texts", q.key(), most)
		}
		texts = append(texts, bytes.Clone(value))
	}
	return texts, nil
}
