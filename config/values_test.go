package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0": 0, "1": 1, "128MiB": 128 << 20, "1.5KiB": 1536, "2 GB": 2e9, "7B": 7, "8191PiB": -1, "": -1, "MiB": -1,
		"-1": -1, "1.0001B": -1, "9223372036854775807": 1<<63 - 1, "9223372036854775808": -1, "1e3": -1, "1/2": -1,
	} {
		got, err := ParseByteSize(text)
		if (err != nil) != (want == -1) || err == nil && got != want {
			t.Errorf("ParseByteSize(%q) = %d, %v", text, got, err)
		}
		if err == nil {
			if again, err := ParseByteSize(got.String()); err != nil || again != got {
				t.Errorf("%q prints as %s, which reads as %d, %v", text, got, again, err)
			}
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := Default()
	c.NATS.Token, c.NATS.Password = "hunter2", "hunter2"
	c.NATS.URL = "nats://user:hunter2@host:4222,nats://hunter2@other:4222,nats://%hunter2@x"
	asJSON, err := json.Marshal(c.NATS.Token)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", c.NATS.Token)
	printed := strings.Join([]string{
		c.String(), fmt.Sprint(c), fmt.Sprintf("%+v %#v %s", c.NATS.Password, c.NATS.Token, c.NATS.Token), string(asJSON), log.String(),
		fmt.Sprint(c.Validate()),
	}, "\n")
	if strings.Contains(printed, "hunter2") {
		t.Errorf("a secret was printed:\n%s", printed)
	}
	if c.NATS.Token.Reveal() != "hunter2" {
		t.Error("Reveal lost the secret")
	}
}

func TestSecretsFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	token, password, err := NATS{TokenFile: file, Password: "p"}.Secrets()
	if token != "s3cret" || password != "p" || err != nil {
		t.Errorf("Secrets() = %q, %q, %v", token, password, err)
	}
	if s, err := (HTTP{TokenFile: file}).Secret(); s != "s3cret" || err != nil {
		t.Errorf("Secret() = %q, %v", s, err)
	}
	if err := os.WriteFile(file, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (HTTP{TokenFile: file}).Secret(); err == nil {
		t.Error("an empty token file lets everybody in")
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		set  []string
		want string
	}{
		{[]string{"nats.url=host:4222"}, `nats.url: "host:4222" is not a server`},
		{[]string{"nats.url=nats://a:1,http://b"}, `"http://b" is not a server`},
		{[]string{"nats.token=a", "nats.user=b"}, "token, user exclude each other"},
		{[]string{"nats.password=a"}, "nats.user: is empty"},
		{[]string{"nats.inbox_prefix=_INBOX.>"}, "nats.inbox_prefix"},
		{[]string{"nats.tls.cert_file=/dev/null"}, "cert_file and key_file go together"},
		{[]string{"http.tls.key_file=/dev/null"}, "http.tls: cert_file and key_file go together"},
		{[]string{"http.tls.client_ca_file=/dev/null"}, "http.tls.client_ca_file: needs http.tls.cert_file"},
		{[]string{"http.tls.cert_file=/nowhere/x.pem"}, "http.tls.cert_file: open /nowhere/x.pem"},
		{[]string{"nats.credentials_file=/nowhere/x.creds"}, "nats.credentials_file: open /nowhere/x.creds"},
		{[]string{"nats.embedded.auth=maybe"}, `nats.embedded.auth: "maybe" is not one of none, credential`},
		{[]string{"nats.embedded.addr=0.0.0.0:4222"}, "nats.embedded.auth: with none"},
		{[]string{"nats.embedded.addr=:4222"}, "must be a loopback address"},
		{[]string{"export.dir_mode=0650"}, "export.dir_mode: 0650 keeps textmill itself out"},
		{[]string{"export.file_mode=0755"}, "export.file_mode: 0755: its owner"},
		{[]string{"export.file_mode=0648"}, "is no mode in octal"},
		{[]string{"export.dir_mode=4750"}, "is no mode in octal"},
		{[]string{"nats.replicas=6", "nats.url=nats://h"}, "nats.replicas: 6 is none of 1 to 5"},
		{[]string{"nats.replicas=3"}, "nats.replicas: 3 copies need a cluster"},
		{[]string{"nats.ack_wait=1ms"}, "nats.ack_wait: 1ms is below 1s"},
		{[]string{"http.allowed_hosts=mill.example,http://x:80"}, `http.allowed_hosts[1]: "http://x:80" is not a host`},
		{[]string{"http.addr=:99999"}, "port must be a number"},
		{[]string{"export.part_bytes=0"}, "export.part_bytes: 0 must be at least 1"},
		{[]string{"export.uri=gs://bucket/x"}, "gs:// is not supported"},
		{[]string{"export.scratch=s3://bucket/x"}, "must be a directory of this machine"},
		{[]string{"export.uri=~/tables"}, "only a shell knows ~"},
		{[]string{"export.remember=1m"}, "no longer be recognised"},
		{[]string{"drain_timeout=0s"}, "drain_timeout: 0s must be above 0"},
		{[]string{"runtime.device=gpu"}, "is not auto, cpu or cuda:N"},
		{[]string{"models.m.device=cuda:"}, "models.m.device"},
		{[]string{"models.m.onnx_file=../x.onnx"}, "must lie inside the bundle"},
		{[]string{"models.m.tokenizer_engine=other"}, "is not one of textmill"},
		{[]string{"models.a b.threads=1"}, `models.a b: the name "a b" does not match [A-Za-z0-9_-]{1,128}`},
		{[]string{"models." + strings.Repeat("m", 129) + ".threads=1"}, "does not match [A-Za-z0-9_-]{1,128}"},
		{[]string{"models.m.threads=-1"}, "models.m.threads: -1 must not be negative"},
		{[]string{"input.roots=/nowhere/at/all"}, "input.roots[0]"},
	} {
		_, err := Load(Options{Set: tc.set})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: got %v, want %q", tc.set, err, tc.want)
		}
	}
}
