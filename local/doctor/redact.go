package doctor

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"textmill/config"
	"textmill/ground/regular"
)

// secretFiles are the files whose content is a secret, by the keys that name them.
func secretFiles(c config.Config) map[string]string {
	files := map[string]string{
		"http.token_file": c.HTTP.TokenFile, "http.tls.key_file": c.HTTP.TLS.KeyFile,
		"nats.credentials_file": c.NATS.CredentialsFile, "nats.nkey_file": c.NATS.NKeyFile,
		"nats.token_file": c.NATS.TokenFile, "nats.password_file": c.NATS.PasswordFile,
		"nats.tls.key_file": c.NATS.TLS.KeyFile,
	}
	if c.NATS.URL == "" && c.NATS.Embedded.Auth == config.AuthCredential {
		files["nats.embedded.dir"] = c.NATS.Embedded.CredentialFile()
	}
	for key, file := range files {
		if file == "" {
			delete(files, key)
		}
	}
	return files
}

// secretNames begins, ends or stands within the name of a variable that holds a secret.
var secretNames = regexp.MustCompile(`(?i)token|secret|passw|credential|_key|headers`)

// shortest is how long something is at least that is taken for a secret: shorter ones are words of any text.
const shortest = 3

// redactor takes secrets out of what is to be shown to others.
type redactor struct{ secrets [][]byte }

// newRedactor knows the secrets of a configuration and of an environment, and of the files that they name.
func newRedactor(c config.Config, env []string) *redactor {
	r := &redactor{}
	r.learn(c.NATS.Token.Reveal())
	r.learn(c.NATS.Password.Reveal())
	for server := range strings.SplitSeq(c.NATS.URL, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); err == nil && u.User != nil {
			r.learn(u.User.Username())
			password, _ := u.User.Password()
			r.learn(password)
		}
	}
	for _, file := range secretFiles(c) {
		data, err := regular.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			r.learn(strings.TrimSpace(line))
		}
	}
	for _, pair := range env {
		if name, value, _ := strings.Cut(pair, "="); secretNames.MatchString(name) && !strings.HasSuffix(name, "_FILE") {
			r.learn(value)
			for header := range strings.SplitSeq(value, ",") { // as OTEL_EXPORTER_OTLP_HEADERS has them
				if _, one, ok := strings.Cut(header, "="); ok {
					r.learn(one)
				}
			}
		}
	}
	// The longest first: one may be part of another.
	slices.SortFunc(r.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return r
}

// learn takes in a secret, also as URLs and JSON write it.
func (r *redactor) learn(secret string) {
	if len(secret) < shortest {
		return
	}
	quoted, err := json.Marshal(secret)
	if err != nil {
		quoted = []byte(`""`)
	}
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
		string(quoted[1 : len(quoted)-1])}
	for _, form := range forms {
		if !slices.ContainsFunc(r.secrets, func(s []byte) bool { return string(s) == form }) && len(form) >= shortest {
			r.secrets = append(r.secrets, []byte(form))
		}
	}
}

var (
	redacted = []byte("[redacted]")
	userinfo = regexp.MustCompile(`(://)[^/\s"'@]+@`)
	bearer   = regexp.MustCompile(`(?i)(bearer )[A-Za-z0-9._~+/=-]+`)
)

// clean is a text without secrets.
func (r *redactor) clean(text []byte) []byte {
	for _, s := range r.secrets {
		text = bytes.ReplaceAll(text, s, redacted)
	}
	text = userinfo.ReplaceAll(text, []byte("${1}[redacted]@"))
	return bearer.ReplaceAll(text, []byte("${1}[redacted]"))
}

// variables are the names of those that change what textmill does, without their values.
func variables(env []string) []byte {
	var names []string
	for _, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		for _, prefix := range []string{"TEXTMILL_", "AWS_", "HF_", "OTEL_", "ORT_", "CUDA_", "XDG_", "GOMEMLIMIT", "GOMAXPROCS"} {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name+" is set")
			}
		}
	}
	slices.Sort(names)
	return []byte(strings.Join(names, "\n") + "\n")
}
