package main

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"textmill/ground/regular"
	"textmill/local/tables"
)

// upkeep finishes a command that changes the one table its argument names.
func upkeep(s *settings, cmd *cobra.Command, run func(cmd *cobra.Command, u tables.Upkeep) error) *cobra.Command {
	var u tables.Upkeep
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = completeOne(s, completeDatasets)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if u.Config, err = s.loadPlaces(cmd); err != nil {
			return err
		}
		if u.URI, err = tables.URI(u.Config, args[0]); err != nil {
			return err
		}
		u.Version, u.Out, u.About = version, cmd.OutOrStdout(), s.progress(cmd)
		return run(cmd, u)
	}
	jsonFlag(cmd, &u.JSON)
	if cmd.Name() != "checkpoint" {
		cmd.Flags().BoolVar(&u.DryRun, "dry-run", false, "say what would be done, and change nothing")
	}
	return cmd
}

func tableDeleteCommand(s *settings) *cobra.Command {
	var o tables.DeleteOptions
	var idsFrom string
	cmd := upkeep(s, &cobra.Command{
		Use:   "delete TABLE",
		Short: "Delete rows: of records, of an attribute, of a model, or errors",
		Long: `Deletes the rows for which all holds that is given. The files that hold them are written again without them, and the table
changes in one commit, beside daemons that write to it. What has been published stays known: a repeated message brings nothing back.

The files of before stay readable for older versions of the table, by default for 7 days
(delta.deletedFileRetentionDuration), until a daemon or table vacuum removes them. --vacuum-after sets how long for this table,
from now on; with 0s the deleted texts are gone from the disk when the command returns.`,
		Example: `  textmill table delete docs --id a --id b
  textmill table delete docs --ids-from forget.txt --vacuum-after 0s
  textmill table delete docs --where source=web --dry-run
  textmill table delete docs --errors`,
	}, func(cmd *cobra.Command, u tables.Upkeep) error {
		o.Upkeep, o.Shorten = u, cmd.Flags().Changed("vacuum-after")
		if idsFrom != "" {
			ids, err := readIDs(cmd, idsFrom)
			if err != nil {
				return err
			}
			o.IDs = append(o.IDs, ids...)
		}
		return tables.Delete(cmd.Context(), o)
	})
	flags := cmd.Flags()
	flags.StringArrayVar(&o.IDs, "id", nil, "all rows of the record `ID`: chunks, completions, errors; may be repeated")
	flags.StringVar(&idsFrom, "ids-from", "", "ids of records from `FILE`, one a line; - is standard input")
	flags.StringVar(&o.Task, "task", "", "with --id: rows of this `TASK` only")
	flags.Var(params{&o.Where}, "where", "rows whose attribute `K=V` is so; may be repeated, then all must hold")
	flags.BoolVar(&o.Errors, "errors", false, "error rows")
	flags.StringVarP(&o.Model, "model", "m", "", "rows of this model, `NAME`")
	flags.DurationVar(&o.Retention, "vacuum-after", 0, "set how long the table keeps files that it no longer needs, and remove those that are older")
	return cmd
}

// readIDs reads one id a line.
func readIDs(cmd *cobra.Command, path string) (ids []string, err error) {
	var in io.Reader = cmd.InOrStdin()
	if path != "-" {
		f, err := regular.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if id := lines.Text(); id != "" {
			ids = append(ids, id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read ids from %s: %w", path, err)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s holds no ids", path)
	}
	return ids, nil
}

func tableCompactCommand(s *settings) *cobra.Command {
	var o tables.CompactOptions
	cmd := upkeep(s, &cobra.Command{
		Use:   "compact TABLE",
		Short: "Put a table's small files together, sorted by record id",
		Long: `Writes small files again as files of about --target, sorted by record id, so that readers skip what they do not look for;
error rows go into files of their own. The rows stay the same. It gives way to whoever changes those files meanwhile, and a file
is written again only with so much beside it that this pays. A daemon does the same at export.compact_between.`,
		Example: `  textmill table compact docs
  textmill table compact docs --target 512MiB --dry-run`,
	}, func(cmd *cobra.Command, u tables.Upkeep) error {
		o.Upkeep = u
		return tables.Compact(cmd.Context(), o)
	})
	cmd.Flags().StringVar(&o.Target, "target", "", "about how large files become, a `SIZE` such as 128MiB, which is the default")
	return cmd
}

func tableVacuumCommand(s *settings) *cobra.Command {
	var o tables.VacuumOptions
	var retention time.Duration
	cmd := upkeep(s, &cobra.Command{
		Use:   "vacuum TABLE",
		Short: "Remove the files that a table no longer needs",
		Long: `Removes files that were taken out of the table longer ago than delta.deletedFileRetentionDuration, or --retention: versions
from before can then no longer be read, and who is reading one at this moment fails. What killed writers left is not touched;
daemons remove that by themselves.`,
		Example: `  textmill table vacuum docs --dry-run
  textmill table vacuum docs --retention 24h`,
	}, func(cmd *cobra.Command, u tables.Upkeep) error {
		o.Upkeep = u
		if cmd.Flags().Changed("retention") {
			o.Retention = &retention
		}
		return tables.Vacuum(cmd.Context(), o)
	})
	cmd.Flags().DurationVar(&retention, "retention", 0, "instead of the table's own")
	return cmd
}

func tableCheckpointCommand(s *settings) *cobra.Command {
	return upkeep(s, &cobra.Command{
		Use:   "checkpoint TABLE",
		Short: "Write a checkpoint of a table's log",
		Long: `Writes what all entries of the log come to into one file, so that readers need not read every entry. Daemons do it after each
20 commits, less often where it is large.`,
		Example: `  textmill table checkpoint docs`,
	}, func(cmd *cobra.Command, u tables.Upkeep) error { return tables.Checkpoint(cmd.Context(), u) })
}

func tableHistoryCommand(s *settings) *cobra.Command {
	var asJSON bool
	var most int
	cmd := onTable(s, &cobra.Command{
		Use:   "history TABLE",
		Short: "Tell what each commit did to a table, newest first",
		Example: `  textmill table history docs
  textmill table history docs -n 0 --json`,
	}, func(cmd *cobra.Command, uri string) error {
		return tables.History(cmd.Context(), uri, most, cmd.OutOrStdout(), asJSON)
	})
	jsonFlag(cmd, &asJSON)
	cmd.Flags().IntVarP(&most, "last", "n", 20, "how many commits; 0: all that the log still has")
	return cmd
}
