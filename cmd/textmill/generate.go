package main

import (
	"github.com/spf13/cobra"

	"textmill/ground/naming"
	"textmill/local/texts"
)

func generateCommand(s *settings) *cobra.Command {
	return workCommand(s, new(texts.Options), &cobra.Command{
		Use:   "generate --model M [--param k=v]... [PROMPT...]",
		Short: "Continue prompts with a model of the cache, without a queue",
		Long: `Continues PROMPTs, or without any the records {"id","text"} or {"id","messages":[{"role","content"}]} of JSONL on
standard input, and writes one JSON line for each, in the same order:
{"id","output","output_ids","finish_reason","n_tokens","n_output_tokens"}.

A text is continued as it is; messages go through the model's chat template, and so does a text as one message of the user
with --param chat=true. Greedy unless the model's generation_config.json or --param temperature says otherwise.
A record that cannot be continued is {"id","error":"class: message"}; how many there were is told on standard error.

` + recordsHelp + `

` + paramNames(naming.TaskGenerate) + ` What is left open is the model's own;
top_k is 50 where nothing says otherwise.`,
		Example: `  textmill generate --model SmolLM2-135M-Instruct --param chat=true "What is gravity?"
  textmill generate --model SmolLM2-135M-Instruct --param max_new_tokens=64 < prompts.jsonl > texts.jsonl
  textmill generate --model SmolLM2-135M-Instruct --param temperature=0.8 --param seed=7 --out ./texts < prompts.jsonl`,
	}, texts.Generate)
}
