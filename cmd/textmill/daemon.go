package main

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"textmill/config"
	"textmill/daemon"
)

func daemonCommand(s *settings) *cobra.Command {
	var check, bindTables bool
	cmd := &cobra.Command{
		Use:   "daemon [-c textmill.yaml]",
		Short: "Take jobs from the queue to rows in tables",
		Long: `Serves jobs until SIGTERM or SIGINT, then finishes what it holds or hands it back within drain_timeout; a second signal
ends it at once. SIGHUP has it read log.level again. Without nats.url it runs a NATS server of its own, to which any client can publish.
Without a config file it serves every model in the cache for the task it was made for.

At the first start the queue is bound to the tables at export.uri, by an id that lies with them; a daemon whose export.uri leads to others does
not start, since it would split the queue's rows. --bind-tables binds the queue to these tables from now on, while no daemon of it runs, and ends.`,
		Example: `  textmill daemon
  textmill daemon -c /etc/textmill/textmill.yaml --check-config
  textmill daemon --nats-url nats://queue:4222 --set export.uri=/data/tables`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			more := flagSetting(cmd, "nats-url", "nats.url")
			more = append(more, flagSetting(cmd, "http-addr", "http.addr")...)
			more = append(more, flagSetting(cmd, "export-uri", "export.uri")...)
			cfg, err := s.read(more...)
			if err != nil {
				return err
			}
			if check {
				_, err := fmt.Fprint(cmd.OutOrStdout(), cfg)
				return err
			}
			level := new(slog.LevelVar)
			level.Set(levelOf(cfg))
			log := levelled(cfg, cmd.ErrOrStderr(), level)
			followLevel(cmd.Context(), level, func() (config.Config, error) { return s.parse(more...) }, log)
			for _, line := range slices.Concat(cfg.Notices(), cfg.OldPlaces()) {
				log.Warn(line)
			}
			if bindTables {
				said, err := daemon.BindTables(cmd.Context(), cfg, log, version)
				if err == nil {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
				}
				return err
			}
			d, err := daemon.New(cmd.Context(), cfg, log, version)
			if err != nil {
				return err
			}
			return d.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&check, "check-config", false,
		"report every problem of the configuration, or print what holds, and end")
	flags.BoolVar(&bindTables, "bind-tables", false, "have the queue's rows go to export.uri from now on, and end")
	natsFlag(cmd)
	flags.String("http-addr", "", "`HOST:PORT` of health, metrics and status (http.addr)")
	flags.String("export-uri", "", "`URI` of the tables, a directory or s3://bucket/prefix (export.uri)")
	return cmd
}

// natsFlag adds --nats-url, which flagSetting turns into nats.url.
func natsFlag(cmd *cobra.Command) {
	cmd.Flags().String("nats-url", "", "`URL` of the NATS server; empty: the one embedded in the daemon (nats.url)")
}
