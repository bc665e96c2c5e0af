package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"textmill/client"
	"textmill/config"
	"textmill/ground/regular"
	"textmill/jobs"
)

// require makes flags mandatory, as wrong usage rather than as a failure.
func require(cmd *cobra.Command, names ...string) {
	next := cmd.PreRunE
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		for _, name := range names {
			if !c.Flags().Changed(name) {
				return usageError{c.CommandPath(), fmt.Errorf("--%s is needed", name)}
			}
		}
		if next != nil {
			return next(c, args)
		}
		return nil
	}
}

// modelFlag adds --model, without which the command is used wrongly.
func modelFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVarP(to, "model", "m", "", "`NAME` of a model in the cache (textmill models list)")
	require(cmd, "model")
}

// paramFlag adds --param k=v.
func paramFlag(cmd *cobra.Command, to *map[string]string) {
	cmd.Flags().VarP(params{to}, "param", "p", "a param of the task, `K=V`; may be repeated")
	readRanges(cmd, to)
}

// paramNames is a sentence of a help that lists the params of a task, in lines that fit a terminal.
func paramNames(task string) string {
	var out strings.Builder
	column, _ := out.WriteString("Params:")
	known := jobs.Params(task)
	for i, p := range known {
		name := p.Name + ","
		if i == len(known)-1 {
			name = p.Name + "."
		}
		if column+1+len(name) > 118 {
			out.WriteByte('\n')
			column = len(name)
		} else {
			out.WriteByte(' ')
			column += 1 + len(name)
		}
		out.WriteString(name)
	}
	return out.String()
}

// runtimeFlags adds what runtimeSettings turns into settings.
func runtimeFlags(cmd *cobra.Command) {
	cmd.Flags().String("device", "", "auto, cpu or cuda:N (runtime.device)")
	cmd.Flags().Int("threads", 0, "threads of ONNX Runtime; 0: all that the container may use (runtime.threads)")
}

func runtimeSettings(cmd *cobra.Command) []string {
	return append(flagSetting(cmd, "device", "runtime.device"), flagSetting(cmd, "threads", "runtime.threads")...)
}

func jsonFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "json", false, "answer in JSON, for programs")
}

// params collects --param k=v; each may be given once.
type params struct{ to *map[string]string }

func (p params) Type() string   { return "K=V" }
func (p params) String() string { return "" }

func (p params) Set(s string) error {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" {
		return fmt.Errorf("%q is not of the form name=value", s)
	}
	if _, twice := (*p.to)[k]; twice {
		return fmt.Errorf("%s is given twice", k)
	}
	if *p.to == nil {
		*p.to = map[string]string{}
	}
	(*p.to)[k] = v
	return nil
}

// readRanges has the param ranges hold what a file says, where it names one by @FILE.
func readRanges(cmd *cobra.Command, params *map[string]string) {
	next := cmd.PreRunE
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		if file, named := strings.CutPrefix((*params)["ranges"], "@"); named {
			data, err := regular.ReadFile(file)
			if err != nil {
				return fmt.Errorf("--param ranges: %w", err)
			}
			(*params)["ranges"] = string(data)
		}
		if next != nil {
			return next(c, args)
		}
		return nil
	}
}

// onQueue runs f with a connection to the server that the configuration names.
func onQueue(cmd *cobra.Command, s *settings, f func(ctx context.Context, cfg config.Config,
	q *client.Queue) error) error {
	cfg, err := s.loadPlaces(cmd, flagSetting(cmd, "nats-url", "nats.url")...)
	if err != nil {
		return err
	}
	q, err := client.Connect(cmd.Context(), cfg, logger(cfg, cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer q.Close()
	return f(cmd.Context(), cfg, q)
}
