package main

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"textmill/local/following"
)

func tableFollowCommand(s *settings) *cobra.Command {
	var o following.Options
	cmd := onTable(s, &cobra.Command{
		Use:   "follow --exec COMMAND TABLE",
		Short: "Run a command for each commit of a table",
		Long: `Runs COMMAND by sh for each version of TABLE, in their order, whoever commits: on its standard input what the commit did, as a line of
JSON (docs/reference/schema/commit.schema.json), and in its environment TEXTMILL_COMMIT_VERSION, _SINCE (the version before), _DATASET,
_TABLE, _ROWS, _ERRORS, _ADDED and _REMOVED (files). A command that fails is run again, after a second and then after twice as long,
up to a minute. The position is written durably after each success, so each version's command succeeds at least once: one that had
just succeeded when everything was killed runs again. Ctrl-C asks the command to end, and the next follow runs it again.
A position belongs to a table and a command; two processes cannot share one.`,
		Example: `  textmill table follow docs --exec 'textmill table load docs --to pgvector --since "$TEXTMILL_COMMIT_SINCE" --run postgres://me@localhost/search'
  textmill table follow docs --once --from 5 --exec 'jq -c .added'`,
	}, func(cmd *cobra.Command, uri string) error {
		if o.From < 0 || o.Every <= 0 {
			return usageError{cmd.CommandPath(), errors.New("--from takes a version, --every a duration above 0")}
		}
		cfg, err := s.load()
		if err != nil {
			return err
		}
		o.Dir = filepath.Join(cfg.Data, "follow")
		o.Table, o.Out, o.About = uri, cmd.OutOrStdout(), s.progress(cmd)
		return following.Follow(cmd.Context(), o)
	})
	flags := cmd.Flags()
	flags.StringVar(&o.Exec, "exec", "", "run this `COMMAND`")
	flags.Int64Var(&o.From, "from", 0, "the first `VERSION`, where there is no position yet")
	flags.StringVar(&o.Position, "position", "", "keep the position in this `FILE`; default: one in the data directory")
	flags.DurationVar(&o.Every, "every", time.Second, "how often the table's log is looked at")
	flags.BoolVar(&o.Once, "once", false, "end when the newest version is done")
	require(cmd, "exec")
	return cmd
}
