package main

import (
	"context"

	"github.com/spf13/cobra"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/local"
	"textmill/local/texts"
)

func embedCommand(s *settings) *cobra.Command {
	var o texts.Options
	cmd := workCommand(s, &o, &cobra.Command{
		Use:   "embed --model M [--param k=v]... [TEXT...]",
		Short: "Embed texts with a model of the cache, without a queue",
		Long: `Embeds TEXTs, or without any the records {"id","text"} of JSONL on standard input, and writes one JSON line for each,
in the same order: {"id","embedding","dim","norm","n_tokens","truncated","n_dropped"}.
A record that cannot be embedded is {"id","error":"class: message"}; how many there were is told on standard error.

` + recordsHelp + `

` + paramNames(naming.TaskEmbed) + `
What is left open is the model's own.`,
		Example: `  textmill embed --model all-MiniLM-L6-v2 "read a file line by line"
  textmill embed --model all-MiniLM-L6-v2 --param dimensions=256 < texts.jsonl > vectors.jsonl
  textmill embed --model all-MiniLM-L6-v2 --out ./docs < texts.jsonl
  textmill embed --model all-MiniLM-L6-v2 --from reviews.csv.gz --text-column body --id-column key > vectors.jsonl
  textmill embed --model all-MiniLM-L6-v2 --from s3://corpus/2026/ --text-template '{meta.title}\n\n{body?}' > vectors.jsonl
  textmill embed --model all-MiniLM-L6-v2 --ranges < sample.jsonl > ranges.json
  textmill embed --model all-MiniLM-L6-v2 --param precision=int8 --param ranges=@ranges.json < texts.jsonl`,
	}, texts.Embed)
	cmd.Flags().BoolVar(&o.Ranges, "ranges", false,
		"write the least and the greatest value of each dimension, for the param ranges, instead of the vectors")
	cmd.MarkFlagsMutuallyExclusive("ranges", "out")
	return cmd
}

// workCommand finishes a command that works on TEXTs or on lines of standard input.
func workCommand(s *settings, o *texts.Options, cmd *cobra.Command, work func(context.Context, config.Config,
	texts.Options) error) *cobra.Command {
	var records local.Records
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.load(runtimeSettings(cmd)...)
		if err != nil {
			return err
		}
		if o.Texts, err = textsOf(cmd, args, &records); err != nil {
			return err
		}
		o.Quiet = s.mute
		o.Out, o.Log = cmd.OutOrStdout(), logger(cfg, cmd.ErrOrStderr())
		return work(cmd.Context(), cfg, *o)
	}
	modelFlag(cmd, &o.Model)
	paramFlag(cmd, &o.Params)
	cmd.Flags().StringVar(&o.Dir, "out", "",
		"write rows to the Delta table `TABLE`, a directory or a URI, in one commit, instead of JSON lines")
	recordsFlags(cmd, &records)
	runtimeFlags(cmd)
	return cmd
}
