package jobs_test

import (
	"errors"
	"fmt"
	"log"

	"textmill/ground/naming"
	"textmill/jobs"
)

// A job message is JSON under a subject that names task, model and job. Which NATS client sends it does not matter.
func ExampleDecode() {
	record := jobs.Record{ID: "a", Text: "read a file line by line", Attributes: map[string]string{"lang": "en"}}
	data := []byte(`{"job":"docs-1","shard":0,"shards":1,"dataset":"docs","params":{"normalize":true},"records":[`)
	data = append(record.AppendJSON(data), `,{"id":"b","text":5}]}`...)
	subject := jobs.Subject{Task: naming.TaskEmbed, Model: "all-MiniLM-L6-v2", Job: "docs-1"}
	fmt.Println(subject)

	shard, err := jobs.Decode(jobs.Message{Subject: subject.String(), Data: data}, jobs.Limits{})
	if err != nil {
		log.Fatal(err) // the whole message is a dead letter
	}
	fmt.Println(shard.Job, shard.ID, shard.Dataset, *shard.Embed.Normalize)
	for _, r := range shard.Records {
		fmt.Printf("%s %q %v\n", r.ID, r.Text, r.Err) // a bad record costs itself only
	}
	// Output:
	// textmill.jobs.embed.all-MiniLM-L6-v2.docs-1
	// docs-1 0 docs true
	// a "read a file line by line" <nil>
	// b "" invalid_record: text: want a string, have a number
}

func ExampleDecode_invalid() {
	_, err := jobs.Decode(jobs.Message{
		Subject: "textmill.jobs.embed.all-MiniLM-L6-v2", Data: []byte(`{"dataset":"../docs","records":[{"text":"x"}]}`),
	}, jobs.Limits{})
	var invalid *jobs.Invalid
	fmt.Println(errors.As(err, &invalid), err)
	// Output:
	// true invalid_job: dataset: "../docs" does not match [A-Za-z0-9_-]{1,64}, not beginning with _
}

func ExampleParseEvent() {
	e, err := jobs.ParseEvent([]byte(`{"type":"committed","job":"docs-1","shard":"0","rows":512,"errors":1,"version":17}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Type, e.Job, e.Shard, e.Rows, e.Errors, e.Version)
	// Output:
	// committed docs-1 0 512 1 17
}

func ExampleParamsJSON() {
	params, err := jobs.ParamsJSON(naming.TaskGenerate, map[string]string{"temperature": "0.7", "stop": "END", "seed": "7"})
	fmt.Println(string(params), err)
	_, err = jobs.ParamsJSON(naming.TaskGenerate, map[string]string{"temprature": "0.7"})
	fmt.Println(err)
	// Output:
	// {"seed":7,"stop":"END","temperature":0.7} <nil>
	// invalid_param: unknown param "temprature"; did you mean temperature?
}
