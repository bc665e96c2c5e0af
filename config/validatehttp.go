package config

import (
	"fmt"
	"net"
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
