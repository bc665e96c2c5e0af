package config

import (
	"fmt"
	"net"
	"net/url"
)

func (c *Config) validateHTTP(bad func(string, string, ...any)) {
	for i, name := range c.HTTP.AllowedHosts {
		if !hostName.MatchString(name) && net.ParseIP(name) == nil {
			bad(fmt.Sprintf("http.allowed_hosts[%d]", i), "%q is not a host's name or address, without scheme and port", name)
		}
	}
	switch files := c.HTTP.TLS; {
	case (files.CertFile == "") != (files.KeyFile == ""):
		bad("http.tls", "cert_file and key_file go together")
	case files.ClientCAFile != "" && files.CertFile == "":
		bad("http.tls.client_ca_file", "needs http.tls.cert_file and http.tls.key_file: clients show certificates over TLS alone")
	}
	if c.HTTP.PProf && c.HTTP.TokenFile == "" && c.HTTP.TLS.ClientCAFile == "" {
		bad("http.pprof", "needs http.token_file or http.tls.client_ca_file: profiles are not for whoever reaches the address")
	}
}

func (c *Config) validateTelemetry(bad func(string, string, ...any)) {
	if s := c.Telemetry.TracesSample; !(s >= 0 && s <= 1) {
		bad("telemetry.traces_sample", "%v is no share between 0 and 1", s)
	}
	if c.Telemetry.Endpoint == "" {
		return
	}
	u, err := url.Parse(c.Telemetry.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		bad("telemetry.endpoint", "%q is no URL such as http://localhost:4318", hidePassword(c.Telemetry.Endpoint))
	}
}
