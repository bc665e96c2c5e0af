package queue

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"textmill/jobs"
)

// Users of a shared server ask models and are told what is wrong by the micro API's headers; a question is answered to an inbox alone;
// who runs the daemons finds the models by that API.
func TestAsks(t *testing.T) {
	url := shared(t)
	daemon := dial(t, Options{URL: url, User: "textmill", Password: secret, InboxPrefix: "_INBOX_textmill"})
	q := dial(t, Options{URL: url, User: "team_a", Password: secret, InboxPrefix: "_INBOX_team_a"})
	put(t, daemon, subjectM+".theirs", "theirs")
	held, release := make(chan bool, 1), make(chan bool)
	asks, err := daemon.ServeAsks(t.Context(), AskOptions{Version: "dev", AtOnce: 1, Models: []Served{{"embed", "m", "abc"}, {"generate", "w", "def"}},
		Answer: func(_ context.Context, a Ask) AskAnswer {
			switch string(a.Data) {
			case "hold":
				held <- true
				<-release
			case "wrong":
				return AskAnswer{Code: 400, Reason: "no\r\nsuch thing"}
			case "long":
				return AskAnswer{Data: make([]byte, 1<<20)}
			}
			text := "json "
			if a.Text {
				text = "text "
			}
			return AskAnswer{Data: []byte(text + a.Task + " " + a.Model), Header: map[string]string{"Textmill-Model-Sha256": "abc"}}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(subject, data string) *nats.Msg {
		t.Helper()
		m, err := q.nc.RequestWithContext(within(t), subject, []byte(data))
		if err != nil {
			t.Fatalf("%s %s: %v", subject, data, err)
		}
		return m
	}
	refused := func(m *nats.Msg, code, why string) {
		t.Helper()
		if m.Header.Get(micro.ErrorCodeHeader) != code || !strings.Contains(m.Header.Get(micro.ErrorHeader), why) || len(m.Data) > 0 {
			t.Errorf("%v %q, want %s %s", m.Header, m.Data, code, why)
		}
	}
	if m := ask("textmill.ask.embed.m", "a text"); string(m.Data) != "text embed m" || m.Header.Get("Textmill-Model-Sha256") != "abc" {
		t.Errorf("%v %q", m.Header, m.Data)
	}
	if m := ask("textmill.ask.generate.w", `{"prompt":"a"}`); string(m.Data) != "json generate w" {
		t.Errorf("%q", m.Data)
	}
	refused(ask("textmill.ask.embed.m", "wrong"), "400", "no such thing")
	refused(ask("textmill.ask.embed.m", "long"), "413", "max_payload")
	if _, err := q.nc.RequestWithContext(within(t), "textmill.ask.embed.other", nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("another model: %v", err)
	}
	for _, reply := range []string{subjectM + ".theirs", jobs.EventSubject("theirs"), "textmill.ask.generate.w", "textmill.claims.theirs.x", "$JS.API.STREAM.PURGE.TEXTMILL_JOBS"} {
		if err := q.nc.PublishRequest("textmill.ask.embed.m", reply, []byte("hold")); err != nil { // it would hold up the rest
			t.Fatal(err)
		}
	}
	waits, err := q.nc.SubscribeSync(q.nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.nc.PublishRequest("textmill.ask.embed.m", waits.Subject, []byte("hold")); err != nil {
		t.Fatal(err)
	}
	<-held
	refused(ask("textmill.ask.generate.w", "a"), "429", "too many")

	info, err := daemon.nc.RequestWithContext(within(t), "$SRV.INFO.textmill", nil)
	var is micro.Info
	if err != nil || json.Unmarshal(info.Data, &is) != nil || len(is.Endpoints) != 2 || is.Endpoints[0].Metadata["model_sha256"] != "abc" ||
		is.Endpoints[0].Subject != "textmill.ask.embed.m" || is.Endpoints[0].QueueGroup != "textmill" || is.Metadata["version"] != "dev" {
		t.Errorf("%+v, %v", is, err)
	}
	stats, err := daemon.nc.RequestWithContext(within(t), "$SRV.STATS.textmill", nil)
	var counted struct{ Endpoints []struct{ Data askStats } }
	if err != nil || json.Unmarshal(stats.Data, &counted) != nil || counted.Endpoints[0].Data.Answered != 1 || counted.Endpoints[0].Data.Refused != 2 ||
		counted.Endpoints[1].Data != (askStats{Answered: 1, Refused: 1}) {
		t.Errorf("%s, %v", stats.Data, err)
	}
	denied(t, q, func() error { return q.nc.Publish("$SRV.PING", nil) }, "a publisher's $SRV")

	soon, cancel := context.WithCancel(t.Context())
	cancel()
	if err := asks.Stop(soon); !errors.Is(err, context.Canceled) {
		t.Errorf("it does not wait for what is under way: %v", err)
	}
	close(release)
	if err := asks.Stop(within(t)); err != nil {
		t.Error(err)
	}
	if m, err := waits.NextMsg(time.Minute); err != nil || string(m.Data) != "text embed m" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := q.nc.RequestWithContext(within(t), "textmill.ask.embed.m", nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("after the end: %v", err)
	}
}
