package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"textmill/ground/naming"
	"textmill/internal/reference"
	"textmill/jobs"
)

func TestReferenceOfCommands(t *testing.T) {
	var out strings.Builder
	root := rootCommand()
	fmt.Fprintf(&out, "Flags that every command takes:\n\n%s", block(root.PersistentFlags().FlagUsages()))
	for _, cmd := range root.Commands() {
		describe(&out, cmd)
	}
	reference.Holds(t, "commands.md", "commands", out.String())
}

// describe writes what --help says of a command and of those below it.
func describe(out *strings.Builder, cmd *cobra.Command) {
	if !cmd.IsAvailableCommand() {
		return
	}
	level := strings.Repeat("#", 1+len(strings.Fields(cmd.CommandPath()))-1)
	fmt.Fprintf(out, "\n%s %s\n\n%s.\n", level, cmd.CommandPath(), cmd.Short)
	if cmd.Runnable() && !cmd.HasSubCommands() {
		usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
		fmt.Fprintf(out, "\nUsage: `%s`\n", usage)
		if cmd.Long != "" {
			out.WriteString("\n" + prose(cmd.Long))
		}
	}
	if flags := cmd.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(out, "\n%s", block(flags.FlagUsages()))
	}
	if cmd.Example != "" {
		fmt.Fprintf(out, "\nFor example:\n\n%s", block(cmd.Example))
	}
	if cmd.Name() == "completion" {
		return // what it says of each shell is cobra's own
	}
	for _, sub := range cmd.Commands() {
		describe(out, sub)
	}
}

// prose is a long help as Markdown: what is indented in it is a block.
func prose(text string) string {
	var out strings.Builder
	in := false
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		if list := strings.HasPrefix(line, "  "); list != in {
			out.WriteString("\n")
			in = list
		}
		if in {
			line = "  " + line
		} else {
			line = strings.ReplaceAll(line, "<", "\\<")
		}
		out.WriteString(line)
	}
	return out.String()
}

func TestReferenceOfParams(t *testing.T) {
	for _, task := range []string{naming.TaskEmbed, naming.TaskGenerate} {
		var out strings.Builder
		fmt.Fprintln(&out, "| param | values | |\n|---|---|---|")
		for _, p := range jobs.Params(task) {
			if p.About == "" {
				t.Errorf("%s of %s: nothing says what it does", p.Name, task)
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s |\n", p.Name, reference.Cell(p.Values), reference.Cell(p.About))
		}
		reference.Holds(t, "params.md", task, out.String())
	}
}

// block is text as a block of code.
func block(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	least := len(text)
	for _, line := range lines {
		if line != "" {
			least = min(least, len(line)-len(strings.TrimLeft(line, " ")))
		}
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(strings.TrimRight("    "+line[min(least, len(line)):], " ") + "\n")
	}
	return out.String()
}
