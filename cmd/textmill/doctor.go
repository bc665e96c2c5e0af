package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"textmill/local/doctor"
)

func doctorCommand(s *settings) *cobra.Command {
	var asJSON bool
	var bundle string
	cmd := &cobra.Command{
		Use:   "doctor [-c textmill.yaml]",
		Short: "Say what is wrong with this machine, and what mends it",
		Long: `Examines what a daemon with this configuration needs: the library, the processor, a card, the models (every file is read and its
hash compared), NATS and JetStream, the tables' place, disk space, permissions and ports. Each line is ok, warn or FAIL, and below it stands
the line that mends it. It makes the tables' directory where it is absent, and files in it that it takes away; nothing else is changed.
The exit code is 0 when nothing is FAIL.

--bundle FILE writes a zip archive for an issue report beside that: the report, the configuration, versions, what the machine is, and status
and metrics of the daemon at http.addr if one answers. Tokens, passwords, keys and credentials are taken out.`,
		Example: `  textmill doctor
  textmill doctor -c /etc/textmill/textmill.yaml --json
  textmill doctor --bundle report.zip`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.read(flagSetting(cmd, "nats-url", "nats.url")...)
			if fromFlags(err) {
				return err
			}
			o := doctor.Options{Config: cfg, Broken: err, Version: version}
			report := doctor.Examine(cmd.Context(), o)
			if err := report.Write(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if bundle != "" {
				if err := doctor.Bundle(cmd.Context(), o, report, bundle); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s; read it before you attach it\n", bundle)
			}
			if !report.OK {
				return doctor.ErrFailed
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "write an archive for an issue report to `FILE`, without secrets")
	natsFlag(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}
