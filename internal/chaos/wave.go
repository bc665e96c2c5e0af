package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"textmill/ground/naming"
	"textmill/jobs"
)

const (
	shardsPerWave   = 12
	recordsPerShard = 25
)

// fate is what should become of a record.
type fate int

const (
	row     fate = iota // a row with its vector
	failed              // a row with an error
	buried              // a dead letter
	crasher             // a dead letter of its own: the record crashes native code
)

// want is a record that was published.
type want struct {
	text    string
	vector  []float32
	output  *text // of a generation job, instead of vector
	fate    fate
	class   string // of the error, where failed
	dataset string
	rerun   bool // its shard was published again with other params: it is in a dead letter too
	chosen  bool // to be deleted
	deleted bool // its row was taken out of the table, or nobody made it
	open    bool // it may be a row or none
	rows    int
	dead    int
}

type record struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type shardMessage struct {
	Job     string            `json:"job"`
	Shard   int               `json:"shard"`
	Shards  int               `json:"shards,omitempty"`
	Dataset string            `json:"dataset"`
	Records []json.RawMessage `json:"records"`
	Params  map[string]any    `json:"params,omitempty"`

	OnRepeat string `json:"on_repeat,omitempty"`
}

// wave makes the next job: shards of records with known vectors, among them one record that cannot be read; with dead,
// a shard whose vectors would not fit the table; where the cell has them, single texts.
func (c *cell) wave(dead bool) []message {
	if c.Writes {
		return c.writes()
	}
	return c.waveFor(dataset, dead)
}

func (c *cell) waveFor(dataset string, dead bool) []message {
	w := c.waves
	c.waves++
	job := fmt.Sprintf("w%d", w)
	subject := jobs.Subject{Task: naming.TaskEmbed, Model: Model, Job: job}.String()
	poison := c.Poison && w > 0 && w%3 == 0
	var all []message
	for s := range shardsPerWave {
		m := shardMessage{Job: job, Shard: s, Dataset: dataset}
		if !dead {
			m.Shards = shardsPerWave
		}
		for i := range recordsPerShard {
			id, fate := fmt.Sprintf("%d-%d-%d", w, s, i), row
			switch {
			case s == 1 && i == 7:
				fate = failed
			case poison && s == 4 && i == w%recordsPerShard:
				fate = crasher
			}
			m.Records = append(m.Records, c.record(id, dataset, fate))
		}
		if dead && s == 3 {
			m.Params = map[string]any{"precision": "int8"}
			for i := range recordsPerShard {
				c.wants[fmt.Sprintf("%d-%d-%d", w, s, i)].fate = buried
			}
		}
		all = append(all, message{subject: subject, data: encode(m), claimed: c.Claims})
	}
	if c.Twin {
		all = append(all, c.twins(w, all)...)
	}
	if c.Plain {
		for i := range 3 {
			id := fmt.Sprintf("plain-%d-%d", w, i)
			text := c.add(id, dataset, row)
			all = append(all, message{subject: "textmill.jobs.embed." + Model, msgID: id, plain: true, data: []byte(text)})
		}
	}
	if c.Traps {
		all = append(all, c.traps(w))
	}
	c.recent, c.all = append(c.recent, all...), append(c.all, all...)
	return all
}

// twins are a wave's shards for the other model.
func (c *cell) twins(wave int, all []message) (twins []message) {
	for s, m := range all {
		twins = append(twins, message{subject: strings.Replace(m.subject, "."+Model+".", "."+Twin+".", 1), data: m.data})
		for i := range recordsPerShard {
			id := fmt.Sprintf("%d-%d-%d", wave, s, i)
			one := *c.wants[id]
			c.wants[wanted(Twin, id)] = &one
		}
	}
	return twins
}

// wanted is where the want of a model's record is.
func wanted(model, id string) string {
	if model == Twin {
		return Twin + "/" + id
	}
	return id
}

// rerun is a publisher that was killed and is run again with other params: a shard of before comes under its name with
// another payload. Which of the two is committed is open, but one is, and the other is a dead letter.
func (c *cell) rerun(ctx context.Context) error {
	c.making.Lock()
	m, ok := c.otherParams()
	c.making.Unlock()
	if !ok {
		return nil
	}
	return c.publish(ctx, []message{m})
}

func (c *cell) otherParams() (message, bool) {
	if len(c.recent) == 0 {
		return message{}, false
	}
	m := c.recent[c.random.IntN(len(c.recent))]
	var shard shardMessage
	if json.Unmarshal(m.data, &shard) != nil || shard.Params["store_token_ids"] != nil {
		return message{}, false
	}
	if shard.Params == nil {
		shard.Params = map[string]any{}
	}
	shard.Params["store_token_ids"] = true
	m.data = encode(shard)
	subject, err := jobs.ParseSubject(m.subject)
	if err != nil {
		return message{}, false
	}
	for i := range recordsPerShard {
		c.wants[wanted(subject.Model, fmt.Sprintf("%s-%d-%d", strings.TrimPrefix(shard.Job, "w"), shard.Shard,
			i))].rerun = true
	}
	c.recent = append(c.recent, m)
	return m, true
}

// add notes that a record is published.
func (c *cell) add(id, dataset string, f fate) (text string) {
	n, refs := c.random.IntN(len(c.camp.Refs.Texts)), c.camp.Refs
	c.wants[id] = &want{text: refs.Texts[n], vector: refs.Vectors[n], fate: f, class: jobs.BadUTF8, dataset: dataset}
	return refs.Texts[n]
}

func (c *cell) record(id, dataset string, f fate) json.RawMessage {
	text := c.add(id, dataset, f)
	switch f {
	case failed:
		return badRecord(id)
	case crasher:
		text += " t" + strconv.Itoa(poisonous)
	}
	return encode(record{id, text})
}

func badRecord(id string) json.RawMessage {
	return json.RawMessage(`{"id":"` + id + `","text":"half a pair \ud800"}`)
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	return data
}
