package daemon

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"textmill/config"
)

// natsAsk asks by NATS as any client does, by its protocol alone, and gives the answer's headers and payload.
func (r *running) natsAsk(subject, payload string) (textproto.MIMEHeader, []byte) {
	r.t.Helper()
	conn, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", strings.TrimPrefix(r.daemon.NATSURL(), "nats://"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		r.t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB _INBOX.a 1\r\nPUB %s _INBOX.a %d\r\n%s\r\n", subject, len(payload), payload)
	in := bufio.NewReader(conn)
	for err == nil {
		var line string
		var head, all int
		if line, err = in.ReadString('\n'); strings.HasPrefix(line, "HMSG ") {
			if _, err = fmt.Sscanf(line, "HMSG _INBOX.a 1 %d %d", &head, &all); err != nil {
				break
			}
			msg := make([]byte, all)
			if _, err = io.ReadFull(in, msg); err != nil {
				break
			}
			_, rest, _ := bytes.Cut(msg[:head], []byte("\r\n"))
			header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
			if err != nil {
				r.t.Fatalf("%q: %v", msg, err)
			}
			return header, msg[head:]
		}
	}
	r.t.Fatalf("%s %s: %v", subject, payload, err)
	return nil, nil
}

// What is asked by NATS is answered as by HTTP is, and refused with the micro API's headers.
func TestAsksByNATS(t *testing.T) {
	cfg := testConfig(t)
	tiny := tinyWriter(t, 2)["tiny"]
	cfg.Models = map[string]config.Model{model: {BatchTokens: 1024}, "tiny": tiny}
	r := start(t, cfg)
	same := func(task, name, body, path, byHTTP string) {
		t.Helper()
		header, got := r.natsAsk("textmill.ask."+task+"."+name, body)
		_, want := r.post(path, byHTTP)
		var answer map[string]any
		if err := json.Unmarshal(got, &answer); err != nil {
			t.Errorf("%v %q", header, got)
			return
		}
		for _, a := range []map[string]any{answer, want} {
			delete(a, "id")
			delete(a, "created")
		}
		if fmt.Sprint(answer) != fmt.Sprint(want) || answer["model_sha256"] == nil {
			t.Errorf("%s\n%v by NATS,\n%v by HTTP", body, answer, want)
		}
	}
	same("embed", model, "a cat", "/v1/embeddings", `{"model":"`+model+`","input":"a cat"}`)
	same("embed", model, `{"input":["a","b"],"dimensions":4}`, "/v1/embeddings", `{"model":"`+model+`","input":["a","b"],"dimensions":4}`)
	const talk = `"messages":[{"role":"user","content":"a"}],"max_tokens":4}`
	same("generate", "tiny", `{`+talk, "/v1/chat/completions", `{"model":"tiny",`+talk)
	const text = `"prompt":"a","max_tokens":4}`
	same("generate", "tiny", `{"model":"tiny",`+text, "/v1/completions", `{"model":"tiny",`+text)

	_, answer := r.post("/v1/completions", `{"model":"tiny","prompt":"a b"}`)
	choice := answer["choices"].([]any)[0].(map[string]any)
	if header, got := r.natsAsk("textmill.ask.generate.tiny", "a b"); string(got) != choice["text"] ||
		header.Get("Textmill-Finish-Reason") != choice["finish_reason"] || header.Get("Textmill-Model-Sha256") != answer["model_sha256"] {
		t.Errorf("%v %q, want %v", header, got, choice)
	}
	for body, says := range map[string]string{
		`{"input":"a"`: "400 an object is needed", `{"model":"other","input":"a"}`: `400 model is "other"`, "\xff": "400 not valid UTF-8",
		`{"input":"a","x":1}`: "400 x is not known", `{"input":"a","model_sha256":"abc"}`: "404 another model_sha256",
	} {
		code, what, _ := strings.Cut(says, " ")
		if header, got := r.natsAsk("textmill.ask.embed."+model, body); header.Get("Nats-Service-Error-Code") != code ||
			!strings.Contains(header.Get("Nats-Service-Error"), what) || len(got) > 0 {
			t.Errorf("%s: %v %q, want %s", body, header, got, says)
		}
	}
	if header, _ := r.natsAsk("textmill.ask.generate.tiny", `{"stream":true,`+text); !strings.Contains(header.Get("Nats-Service-Error"), "one message") {
		t.Errorf("%v", header)
	}
}
