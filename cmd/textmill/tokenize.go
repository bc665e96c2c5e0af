package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"textmill/config"
	"textmill/local"
	"textmill/local/tokens"
)

func tokenizeCommand(s *settings) *cobra.Command {
	var o tokens.Options
	var compare bool
	var records local.Records
	cmd := &cobra.Command{
		Use:   "tokenize (--model M | --tokenizer FILE) [--decode] [TEXT...]",
		Short: "Turn text into token IDs exactly as Hugging Face does, or back",
		Long: `Tokenizes TEXTs, or without any the records {"id","text"} of JSONL on standard input, and writes one JSON line for each,
in the same order: {"id","input_ids","attention_mask","token_type_ids","offsets","tokens"}. Offsets count characters.
With --model a text is cut where the model would cut it; with --tokenizer the file's own truncation and padding apply.
With --decode the records are {"id","input_ids"} and the answers {"id","text"}.
A record that cannot be read is {"id","error":"class: message"}; how many there were is told on standard error.

` + recordsHelp,
		Example: `  textmill tokenize --model all-MiniLM-L6-v2 "Tokenizers are fun"
  textmill tokenize --tokenizer tokenizer.json < texts.jsonl > ids.jsonl
  textmill tokenize --model all-MiniLM-L6-v2 --from docs.parquet --text-column meta.title > ids.jsonl
  textmill tokenize --tokenizer tokenizer.json --decode --skip-special-tokens < ids.jsonl
  textmill tokenize --tokenizer tokenizer.json --compare < texts.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := goTogether(o, compare); err != nil {
				return usageError{cmd.CommandPath(), err}
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			if o.Texts, err = textsOf(cmd, args, &records); err != nil {
				return err
			}
			if o.Decode && o.Texts.Records != nil {
				return usageError{cmd.CommandPath(), errors.New("--decode reads {\"id\",\"input_ids\"} from standard input alone")}
			}
			o.Out, o.Log = cmd.OutOrStdout(), logger(cfg, cmd.ErrOrStderr())
			if compare {
				return tokens.Compare(cmd.Context(), cfg, o)
			}
			return tokens.Convert(cmd.Context(), cfg, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Model, "model", "m", "", "`NAME` of a model in the cache")
	flags.StringVar(&o.File, "tokenizer", "", "a tokenizer.json `FILE`")
	flags.StringVar(&o.Engine, "engine", config.EngineTextmill,
		"textmill, or sugarme: the library sugarme/tokenizer in a process of its own")
	flags.BoolVar(&compare, "compare", false, "report where sugarme/tokenizer makes other tokens than textmill")
	flags.BoolVar(&o.Decode, "decode", false, "turn token IDs into text")
	flags.BoolVar(&o.NoSpecialTokens, "no-special-tokens", false, "leave out the special tokens that the tokenizer adds")
	recordsFlags(cmd, &records)
	flags.BoolVar(&o.SkipSpecialTokens, "skip-special-tokens", false, "leave special tokens out of decoded text")
	return cmd
}

// goTogether finds what of the options does not.
func goTogether(o tokens.Options, compare bool) error {
	switch {
	case (o.Model == "") == (o.File == ""):
		return errors.New("give either --model or --tokenizer")
	case o.SkipSpecialTokens && !o.Decode:
		return errors.New("--skip-special-tokens belongs to --decode; for tokenizing it is --no-special-tokens")
	case o.NoSpecialTokens && o.Decode:
		return errors.New("--no-special-tokens does not go with --decode; for that it is --skip-special-tokens")
	case o.Engine != config.EngineTextmill && o.Engine != config.EngineSugarme:
		return fmt.Errorf("--engine %q is neither textmill nor sugarme", o.Engine)
	case o.Decode && (compare || o.Engine == config.EngineSugarme):
		return errors.New("--decode is for the engine textmill alone")
	}
	return nil
}
