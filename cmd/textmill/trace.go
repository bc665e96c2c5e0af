package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"textmill/local/traces"
)

func traceCommand(s *settings) *cobra.Command {
	var o traces.Options
	cmd := &cobra.Command{
		Use:   "trace --model M [--param k=v]... TEXT",
		Short: "Show what each stage does to a text, token by token",
		Long: `Shows, while the model runs, what becomes of TEXT ("-" reads it from standard input): each token's piece, ID and span of
characters, and its row of the model's embedding table with shape, norm and first values. Then, of an embedding model, the
norm of each token's hidden state, the pooling, and the vector with its norm before normalization. Of a generation model,
at each step the token picked and its row, the best candidates with logit and probability as the model has them, and score
and probability after penalties, temperature and filters ("-": ruled out); at the end why the text ended.

--json writes the same as JSON lines: {"type":"start"…}, then "token" for each token, "hidden" for each and "vector", or
"step" for each new token and "end". Params are those of embed and generate; chat=true makes TEXT a message of the user.`,
		Example: `  textmill trace --model all-MiniLM-L6-v2 "Tokenizers are fun"
  textmill trace --model SmolLM2-135M-Instruct --param chat=true "What is gravity?"
  textmill trace --model SmolLM2-135M-Instruct --param temperature=0.8 --param top_k=20 --param max_new_tokens=12 "The sky is"
  textmill trace --model all-MiniLM-L6-v2 --json --values 384 - < text.txt > trace.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(runtimeSettings(cmd)...)
			if err != nil {
				return err
			}
			if o.Text = args[0]; o.Text == "-" {
				// A byte more than is allowed tells that there is too much.
				text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), int64(cfg.Limits.RecordBytes)+1))
				if err != nil {
					return fmt.Errorf("read the text: %w", err)
				}
				o.Text = string(text)
			}
			o.Out, o.Log = cmd.OutOrStdout(), logger(cfg, cmd.ErrOrStderr())
			o.Color = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
			return traces.Write(cmd.Context(), cfg, o)
		},
	}
	modelFlag(cmd, &o.Model)
	paramFlag(cmd, &o.Params)
	cmd.Flags().IntVar(&o.Top, "top", 5, "candidates of each new token")
	cmd.Flags().IntVar(&o.Values, "values", 4, "first values of each vector")
	jsonFlag(cmd, &o.JSON)
	runtimeFlags(cmd)
	return cmd
}
