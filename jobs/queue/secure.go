package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"textmill/ground/regular"
)

func (o *Options) auth() ([]nats.Option, error) {
	var opts []nats.Option
	if o.Credentials != "" {
		if err := readable(o.Credentials); err != nil {
			return nil, fmt.Errorf("nats.credentials_file: %w", err)
		}
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	if o.NKeyFile != "" {
		if err := readable(o.NKeyFile); err != nil {
			return nil, fmt.Errorf("nats.nkey_file: %w", err)
		}
		opt, err := nats.NkeyOptionFromSeed(o.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("nats.nkey_file: %s holds no nkey seed", o.NKeyFile)
		}
		opts = append(opts, opt)
	}
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if len(opts) > 1 {
		return nil, errors.New("nats: give one of credentials, nkey, token and user")
	}
	return opts, nil
}

func (o *Options) tls() ([]nats.Option, error) {
	if o.CAFile == "" && o.CertFile == "" && o.KeyFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := regular.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("nats.tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("nats.tls.ca_file: %s holds no PEM certificate", o.CAFile)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("nats.tls.cert_file and nats.tls.key_file must be given together")
	}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("nats.tls.cert_file %s with nats.tls.key_file %s: %w", o.CertFile, o.KeyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return []nats.Option{nats.Secure(c)}, nil
}

func readable(path string) error {
	f, err := regular.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
