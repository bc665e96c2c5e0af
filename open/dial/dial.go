// Package dial says how a process reaches the queue that its configuration names.
package dial

import (
	"errors"
	"log/slog"
	"os"

	"textmill/config"
	"textmill/jobs/queue"
)

// Options are those of a connection to the server of nats.url; secrets are read from their files. To a daemon's
// embedded server they bring that server's credential, where there is one that this user may read.
func Options(n config.NATS, log *slog.Logger) (queue.Options, error) {
	token, password, err := n.Secrets()
	if err != nil {
		return queue.Options{}, err
	}
	o := queue.Options{
		URL: n.URL, Name: "textmill", AckWait: n.AckWait, Logger: log,
		Credentials: n.CredentialsFile, NKeyFile: n.NKeyFile, Token: token, User: n.User, Password: password,
		CAFile: n.TLS.CAFile, CertFile: n.TLS.CertFile, KeyFile: n.TLS.KeyFile, InboxPrefix: n.InboxPrefix,
		ClaimsMaxBytes: int64(n.ClaimsMaxBytes), ClaimsMaxAge: n.ClaimsMaxAge, Replicas: n.Replicas,
	}
	if o.URL != "" {
		return o, nil
	}
	o.URL = "nats://" + n.Embedded.Addr
	file := n.Embedded.CredentialFile()
	_, err = os.Stat(file)
	switch given := o.Credentials + o.NKeyFile + o.Token + o.User; {
	case n.Embedded.Auth == config.AuthCredential && given != "":
		return o, errors.New("nats: the embedded server knows no login but its own credential; leave out credentials_file, nkey_file, token and user")
	case n.Embedded.Auth == config.AuthCredential, given == "" && err == nil:
		o.NKeyFile = file
	}
	return o, nil
}
