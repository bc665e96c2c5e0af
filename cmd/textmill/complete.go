package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"textmill/client"
	"textmill/config"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local/tables"
	"textmill/open/bundle"
)

// completeWithin bounds what a shell waits for names that a daemon has to tell.
const completeWithin = time.Second

// names lists what an argument or a flag may be. What cannot be found out is no name: a shell has no use for an error.
type names func(ctx context.Context, cfg config.Config) []string

func completeModels(_ context.Context, cfg config.Config) []string { return bundle.Names(cfg) }

func completeDatasets(_ context.Context, cfg config.Config) []string { return tables.Names(cfg) }

func completeJobs(ctx context.Context, cfg config.Config) []string { return client.JobNames(ctx, cfg) }

func completeLetters(ctx context.Context, cfg config.Config) []string {
	return client.DeadIDs(ctx, cfg)
}

// oneOf are names that are known.
func oneOf(list ...string) names {
	return func(context.Context, config.Config) []string { return list }
}

// completeParams are the params of all tasks, each with what it does; a value is for whoever types to know.
func completeParams(context.Context, config.Config) []string {
	var all []string
	for _, p := range slices.Concat(jobs.Params(naming.TaskEmbed), jobs.Params(naming.TaskGenerate)) {
		if !slices.ContainsFunc(all, func(one string) bool { return strings.HasPrefix(one, p.Name+"=") }) {
			all = append(all, cobra.CompletionWithDesc(p.Name+"=", p.About+" ("+p.Values+")"))
		}
	}
	return all
}

// candidates are the names that begin with what was typed.
func candidates(cmd *cobra.Command, s *settings, of names, typed string) []string {
	cfg, err := s.read(flagSetting(cmd, "nats-url", "nats.url")...)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeWithin)
	defer cancel()
	found := make(chan []string, 1)
	go func() { found <- of(ctx, cfg) }()
	var begin []string
	select {
	case list := <-found:
		for _, name := range list {
			if strings.HasPrefix(name, typed) {
				begin = append(begin, name)
			}
		}
	case <-ctx.Done(): // whatever hangs, the shell does not
	}
	return begin
}

// completeOne completes the only argument of a command, completeMany each of them. A dataset may also be a path.
func completeOne(s *settings, of names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeMany(s, of)(cmd, args, typed)
	}
}

func completeMany(s *settings, of names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		list := candidates(cmd, s, of, typed)
		if len(list) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag completes the values of a flag.
func completeFlag(cmd *cobra.Command, s *settings, flag string, of names) {
	if cmd.Flags().Lookup(flag) == nil {
		return
	}
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]string,
		cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if flag == "param" {
			directive |= cobra.ShellCompDirectiveNoSpace // its value follows
		}
		return candidates(cmd, s, of, typed), directive
	})
	if err != nil {
		panic(err) // registered twice: a mistake in this program
	}
}

// addCompletion adds the command that writes a shell's script, and completes the flags that commands share.
func addCompletion(root *cobra.Command, s *settings) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		addFlagCompletion(cmd, s)
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Write a script with which a shell completes commands, models, jobs and datasets"
		cmd.Example = `  source <(textmill completion bash)`
		for _, shell := range cmd.Commands() {
			shell.Example = "  textmill completion " + shell.Name() + " > textmill." + shell.Name()
		}
	}
}

func addFlagCompletion(cmd *cobra.Command, s *settings) {
	for flag, of := range map[string]names{
		"model": completeModels, "dataset": completeDatasets, "job": completeJobs, "task": oneOf(naming.Tasks()...),
		"on-repeat": oneOf(naming.RepeatAppend, naming.RepeatReplace, naming.RepeatSkip),
		"precision": oneOf("fp32", "q8", "q4", "as-is"), "device": oneOf("auto", "cpu", "cuda:0"),
		"param":  completeParams,
		"engine": oneOf(config.EngineTextmill, config.EngineSugarme),
	} {
		completeFlag(cmd, s, flag, of)
	}
	for _, sub := range cmd.Commands() {
		addFlagCompletion(sub, s)
	}
}
