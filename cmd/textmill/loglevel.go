package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"textmill/config"
)

// logger writes to w as the configuration says.
func logger(cfg config.Config, w io.Writer) *slog.Logger {
	level := new(slog.LevelVar)
	level.Set(levelOf(cfg))
	return levelled(cfg, w, level)
}

func levelled(cfg config.Config, w io.Writer, level *slog.LevelVar) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func levelOf(cfg config.Config) (level slog.Level) {
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return slog.LevelInfo // Validate lets no other through
	}
	return level
}

// followLevel has SIGHUP read the configuration again, of which log.level alone takes effect, until ctx ends.
func followLevel(ctx context.Context, level *slog.LevelVar, read func() (config.Config, error), log *slog.Logger) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	go func() {
		defer signal.Stop(again)
		for {
			select {
			case <-ctx.Done():
				return
			case <-again:
			}
			cfg, err := read()
			if err != nil {
				log.WarnContext(ctx, "the configuration is read again at the next SIGHUP; log.level stays", "level", level.Level(),
					"error", err)
				continue
			}
			level.Set(levelOf(cfg))
			log.Log(ctx, max(level.Level(), slog.LevelInfo), "log.level was read again", "level", level.Level())
		}
	}()
}
