package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"textmill/internal/authority"
)

const secret = "s3cr3t-word"

// mustRefuse connects and wants ErrRefused at once, without the secret in it.
func mustRefuse(t *testing.T, o Options) {
	t.Helper()
	o.Logger = quiet()
	q, err := Connect(within(t), o)
	if err == nil {
		q.Close()
		t.Fatal("the server lets it in")
	}
	if !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

func TestUserAndToken(t *testing.T) {
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Username: "u", Password: secret})
	dial(t, Options{URL: url, User: "u", Password: secret})
	dial(t, Options{URL: strings.Replace(url, "://", "://u:"+secret+"@", 1)})
	mustRefuse(t, Options{URL: url, User: "u", Password: secret + "x"})
	mustRefuse(t, Options{URL: strings.Replace(url, "://", "://u:"+secret+"x@", 1)})
	mustRefuse(t, Options{URL: url})

	url = inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Authorization: secret})
	q := dial(t, Options{URL: url, Token: secret})
	if strings.Contains(q.Server(), secret) {
		t.Errorf("server %s", q.Server())
	}
	mustRefuse(t, Options{URL: url, Token: secret + "x"})
}

func TestNKeyAndCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, []byte) {
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		seed, err := k.Seed()
		if err != nil {
			t.Fatal(err)
		}
		return k, public, seed
	}
	_, public, seed := pair(nkeys.CreateUser)
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Nkeys: []*server.NkeyUser{{Nkey: public}}})
	dial(t, Options{URL: url, NKeyFile: write("seed", seed)})
	_, _, other := pair(nkeys.CreateUser)
	mustRefuse(t, Options{URL: url, NKeyFile: write("other", other)})

	operator, operatorPublic, _ := pair(nkeys.CreateOperator)
	account, accountPublic, _ := pair(nkeys.CreateAccount)
	_, userPublic, userSeed := pair(nkeys.CreateUser)
	claims := jwt.NewAccountClaims(accountPublic)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	accountJWT, err := claims.Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	userJWT, err := jwt.NewUserClaims(userPublic).Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(userJWT, userSeed)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(accountPublic, accountJWT); err != nil {
		t.Fatal(err)
	}
	trusted := jwt.NewOperatorClaims(operatorPublic)
	_, systemPublic, _ := pair(nkeys.CreateAccount)
	systemJWT, err := jwt.NewAccountClaims(systemPublic).Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	if err := resolver.Store(systemPublic, systemJWT); err != nil {
		t.Fatal(err)
	}
	url = inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), TrustedOperators: []*jwt.OperatorClaims{trusted},
		AccountResolver: resolver, SystemAccount: systemPublic})
	dial(t, Options{URL: url, Credentials: write("user.creds", creds)})
	mustRefuse(t, Options{URL: url, NKeyFile: filepath.Join(dir, "seed")})
}

func TestTLS(t *testing.T) {
	ca := authority.New(t)
	caFile := keep(t, ca.PEM)
	serverCert, serverKey := issued(t, ca, "server")
	clientCert, clientKey := issued(t, ca, "client")
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), TLS: true, TLSVerify: true, TLSTimeout: 5,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}})
	url = strings.Replace(url, "nats://", "tls://", 1)
	ok := Options{URL: url, CAFile: caFile, CertFile: clientCert, KeyFile: clientKey}
	q := dial(t, ok)
	put(t, q, subjectM, "over TLS")
	if got := fetch(t, consumer(t, q, subjectM), 1, 0); len(got) != 1 {
		t.Error("nothing came")
	}

	stranger := authority.New(t)
	mustRefuse(t, Options{URL: url, CAFile: keep(t, stranger.PEM), CertFile: clientCert, KeyFile: clientKey})
	mustRefuse(t, Options{URL: url, CertFile: clientCert, KeyFile: clientKey})
	cert, key := issued(t, stranger, "client")
	mustRefuse(t, Options{URL: url, CAFile: caFile, CertFile: cert, KeyFile: key})
	mustRefuse(t, Options{URL: url, CAFile: caFile})
}

// issued are the files of a certificate that an authority makes, and of its key.
func issued(t *testing.T, a *authority.Authority, name string) (certFile, keyFile string) {
	t.Helper()
	cert, key := a.Sign(name, nil)
	return keep(t, cert), keep(t, key)
}

// keep is a file with some content.
func keep(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConnectOptionsThatCannotWork(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	const url = "nats://127.0.0.1:1"
	for name, o := range map[string]Options{
		"nats.url is empty":      {},
		"nats.url is not a URL":  {URL: "nats://u:" + secret + "@%zz"},
		"scheme":                 {URL: "http://127.0.0.1:1"},
		"nats.credentials_file":  {URL: url, Credentials: bad + "x"},
		"nats.nkey_file":         {URL: url, NKeyFile: bad},
		"give one of":            {URL: url, Token: secret, User: "u"},
		"nats.tls.ca_file":       {URL: url, CAFile: bad},
		"must be given together": {URL: url, CertFile: bad},
		"nats.tls.cert_file":     {URL: url, CertFile: bad, KeyFile: bad},
	} {
		o.Logger = quiet()
		_, err := Connect(within(t), o)
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestConnectWaitsForTheServer(t *testing.T) {
	c := startChild(t)
	c.kill()
	short, cancel := context.WithTimeout(within(t), 300*time.Millisecond)
	defer cancel()
	if _, err := Connect(short, Options{URL: c.url(), Logger: quiet()}); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.url()) {
		t.Errorf("without a server: %v", err)
	}
	connected := make(chan error, 1)
	ctx, o := within(t), Options{URL: c.url(), Logger: quiet()}
	go func() {
		q, err := Connect(ctx, o)
		if err == nil {
			q.Close()
			q.Close()
		}
		connected <- err
	}()
	c.start()
	if err := <-connected; err != nil {
		t.Error(err)
	}
}

func TestPublisherWithoutPermissionIsTold(t *testing.T) {
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Users: []*server.User{
		{Username: "admin", Password: secret},
		{Username: "p", Password: secret, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"textmill.jobs.embed.m.mine"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}},
	}})
	dial(t, Options{URL: url, User: "admin", Password: secret})
	q, err := Connect(within(t), Options{URL: url, User: "p", Password: secret, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	put(t, q, subjectM+".mine", "x")
	err = errors.Join(q.PublishJob(within(t), JobMessage{Subject: subjectM + ".theirs"}), q.Flush(within(t)))
	if !errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}
