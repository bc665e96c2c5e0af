package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of a daemon's own user find its server's credential, another user may be given it, and who has none is refused.
func TestCredentialOfTheEmbeddedServer(t *testing.T) {
	home := newHome(t)
	d := startDaemon(t, home, "TEXTMILL_NATS_EMBEDDED_AUTH=credential")
	address := "TEXTMILL_NATS_EMBEDDED_ADDR=" + strings.TrimPrefix(d.nats, "nats://")
	own := call{home: home, env: []string{address}, stdin: `{"id":"a","text":"some words"}`}
	own.ok(t, "submit", "--model", model, "--dataset", "docs", "--job", "j", "-")
	if out := own.ok(t, "status", "--json").stdout; !strings.Contains(out, `"done"`) {
		t.Errorf("status says %s", out)
	}
	if rows := rows(t, d.table("docs")); len(rows) != 1 {
		t.Errorf("rows are %v", rows)
	}
	credential := filepath.Join(home, "nats", "credential.nk")
	if info, err := os.Stat(credential); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the credential: %v, %v", info, err)
	}
	stranger := call{env: []string{address}}
	if r := stranger.run(t, "status"); r.code != 1 || !strings.Contains(r.stderr, "the credentials are not accepted") || !strings.Contains(r.stderr, "nats.embedded.auth") {
		t.Errorf("a stranger: exit %d\n%s", r.code, r.stderr)
	}
	stranger.env = []string{"TEXTMILL_NATS_URL=" + d.nats, "TEXTMILL_NATS_NKEY_FILE=" + credential}
	if out := stranger.ok(t, "status", "--json").stdout; !strings.Contains(out, `"j"`) {
		t.Errorf("who was given the credential sees %s", out)
	}
	open := call{home: newHome(t), env: daemonEnv("TEXTMILL_NATS_EMBEDDED_ADDR=0.0.0.0:0")}
	if r := open.run(t, "daemon"); r.code == 0 || !strings.Contains(r.stderr, "set it to credential") {
		t.Errorf("an open daemon for everybody: exit %d\n%s", r.code, r.stderr)
	}
}
