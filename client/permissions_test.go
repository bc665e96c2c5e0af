package client

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"textmill/internal/users"
	"textmill/jobs/queue"
)

// As deploy/nats-permissions.conf says, its publisher submits with --no-wait, and is told what he cannot know.
func TestAPublisherWhoMayNotReadEvents(t *testing.T) {
	t.Setenv("TEXTMILL_NATS_PASSWORD", "one")
	t.Setenv("TEAM_A_NATS_PASSWORD", "two")
	url := users.Server(t, "../deploy/nats-permissions.conf")
	dial := func(user, password string) *queue.Queue {
		q, err := queue.Connect(t.Context(), queue.Options{URL: url, User: user, Password: password,
			InboxPrefix: "_INBOX_" + user, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(q.Close)
		return q
	}
	daemons := dial("textmill", "one")
	if err := daemons.EnsureStreams(t.Context(), queue.StreamOptions{}); err != nil {
		t.Fatal(err)
	}
	q := dial("team_a", "two")
	so, _, _ := options(writeFile(t, 600))
	so.Job = "team_a"
	if _, err, _ := done(t, q, so); !errors.Is(err, queue.ErrRefused) || !strings.Contains(err.Error(), "--no-wait") || waiting(t, daemons, "team_a") != 0 {
		t.Errorf("without --no-wait: %v", err)
	}
	so.NoWait = true
	sum, err, errs := done(t, q, so)
	if err != nil || !sum.Unfollowed || sum.Pending != 2 || waiting(t, daemons, "team_a") != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
	if !strings.Contains(errs, "2 shards are published, what was there already is not known") || !strings.Contains(errs, "may not read the events of job team_a") {
		t.Errorf("stderr %q", errs)
	}
}
