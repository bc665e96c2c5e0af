package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"textmill/config"
	"textmill/ground/naming"
)

// usageError is wrong usage of a command, which ends with code 2.
type usageError struct {
	command string // as typed, for the hint
	err     error
}

func (u usageError) Error() string { return u.err.Error() }
func (u usageError) Unwrap() error { return u.err }

// settings are the flags that every command takes to find its configuration.
type settings struct {
	file string
	set  []string
	home string
	log  string
	mute bool

	stderr func() io.Writer
}

func rootCommand() *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use:           "textmill",
		Short:         "Turn queues of text into tables",
		Long:          "textmill pulls texts from NATS JetStream, embeds or continues them with ONNX Runtime and commits the rows to Delta Lake tables, each record exactly once.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	s.stderr = root.ErrOrStderr
	flags := root.PersistentFlags()
	flags.StringVarP(&s.file, "config", "c", "", "read settings from this YAML `FILE`")
	flags.StringArrayVar(&s.set, "set", nil, "set one key of the configuration, `PATH=VALUE`; may be repeated")
	flags.StringVar(&s.home, "home", "", "`DIR` of models, library, queue and tables (TEXTMILL_HOME); default: cache and data directory of the user")
	flags.StringVar(&s.log, "log-level", "", "debug, info, warn or error (TEXTMILL_LOG_LEVEL)")
	flags.BoolVarP(&s.mute, "quiet", "q", false, "no progress on standard error; answers, warnings and errors stay")
	root.AddCommand(
		setupCommand(&s), demoCommand(&s), daemonCommand(&s),
		submitCommand(&s), statusCommand(&s), watchCommand(&s), cancelCommand(&s), deadCommand(&s),
		embedCommand(&s), generateCommand(&s), tokenizeCommand(&s), traceCommand(&s), modelsCommand(&s), tableCommand(&s),
		searchCommand(&s),
		doctorCommand(&s), versionCommand(), childCommand(),
	)
	addCompletion(root, &s)
	addHelp(root)
	finish(root)
	return root
}

// addHelp has help refuse what is no command, in place of showing all of them.
func addHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil || help == root {
		return
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		of, rest, err := root.Find(args)
		if err == nil && len(rest) > 0 {
			err = unknownCommand(of, rest[0])
		}
		return err
	}
}

// progress is where a command tells how far it is.
func (s *settings) progress(cmd *cobra.Command) io.Writer {
	if s.mute {
		return io.Discard
	}
	return cmd.ErrOrStderr()
}

// finish gives a command and those below it --version, and errors of usage that are known as such.
func finish(cmd *cobra.Command) {
	cmd.Version = version
	cmd.SetVersionTemplate("textmill {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{c.CommandPath(),
			withNearestFlag(c, err)}
	})
	check := cmd.Args
	if cmd.HasSubCommands() {
		check = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return nil
		}
		cmd.RunE = func(c *cobra.Command, _ []string) error {
			c.SetOut(c.ErrOrStderr())
			return usageError{c.CommandPath(), errors.Join(c.Help(), errors.New("name a command"))}
		}
	}
	cmd.Args = func(c *cobra.Command, args []string) error {
		if err := checkArgs(c, check, args); err != nil {
			return usageError{c.CommandPath(), err}
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		finish(sub)
	}
}

// checkArgs says how a command is called that has another number of arguments than it takes; a command without a check
// takes none.
func checkArgs(c *cobra.Command, check cobra.PositionalArgs, args []string) error {
	if check == nil {
		if len(args) > 0 {
			return fmt.Errorf("%s takes no arguments, and was given %q", c.CommandPath(), args[0])
		}
		return nil
	}
	err := check(c, args)
	if err != nil && c.HasParent() && !c.HasSubCommands() && c.Name() != "help" {
		err = fmt.Errorf("%w; call it as: %s %s", err, c.Parent().CommandPath(), c.Use)
	}
	return err
}

// unknownCommand says which command was probably meant.
func unknownCommand(c *cobra.Command, name string) error {
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	err := fmt.Errorf("unknown command %q of %s", name, c.CommandPath())
	if near := naming.Meant(name, known); near != "" {
		err = fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return err
}

// withNearestFlag says which flag was probably meant, where err is of one that is not there.
func withNearestFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := naming.Meant(unknown.GetSpecifiedName(), known); near != "" {
		err = fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return err
}

// load is read that also tells of keys that are gone.
func (s *settings) load(more ...string) (config.Config, error) {
	cfg, err := s.read(more...)
	for _, line := range cfg.Notices() {
		fmt.Fprintln(s.stderr(), "textmill:", line)
	}
	return cfg, err
}

// read reads the configuration; more are settings that named flags of the command stand for.
func (s *settings) read(more ...string) (config.Config, error) {
	cfg, err := s.parse(more...)
	if err == nil {
		limitMemory(cfg)
	}
	return cfg, err
}

// parse is read without any effect.
func (s *settings) parse(more ...string) (config.Config, error) {
	set := s.set
	if s.home != "" {
		set = append(set, "home="+s.home)
	}
	if s.log != "" {
		set = append(set, "log.level="+s.log)
	}
	return config.Load(config.Options{Path: s.file, Env: os.Environ(), Set: append(set, more...)})
}

// loadPlaces is load for commands that meet the queue or the tables: it also says where an earlier version left them.
func (s *settings) loadPlaces(cmd *cobra.Command, more ...string) (config.Config, error) {
	cfg, err := s.load(more...)
	for _, line := range cfg.OldPlaces() {
		fmt.Fprintln(cmd.ErrOrStderr(), "textmill:", line)
	}
	return cfg, err
}

// flagSetting is the setting that a named flag stands for, none when it was not given.
func flagSetting(cmd *cobra.Command, flag, path string) []string {
	if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
		return []string{path + "=" + f.Value.String()}
	}
	return nil
}

// onTerminal says whether progress may be redrawn on standard error.
func onTerminal() bool { return redraws(os.Stderr) }

// redraws says whether f is a terminal with room for a bar: script and some CI systems give one of no width, where a
// bar would be nothing.
func redraws(f *os.File) bool {
	width, _, err := term.GetSize(int(f.Fd()))
	return err == nil && width > 0
}
