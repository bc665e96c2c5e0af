// Package open makes models ready to run as the configuration says.
package open

import (
	"textmill/config"
	"textmill/models"
	"textmill/models/session"
)

// Findings are what commands measured of a model on this machine.
func Findings(cfg config.Config, spec *models.Spec) ([]session.Finding, error) {
	return session.Findings(cfg.Home, spec)
}

// Session is how the configuration runs a model.
func Session(cfg config.Config, name string) session.Options {
	m := cfg.Models[name]
	o := session.Options{Home: cfg.Home, Library: cfg.Runtime.Library, Device: cfg.Runtime.Device,
		Threads: cfg.Runtime.Threads, BatchTokens: m.BatchTokens, DeviceMemory: int64(m.DeviceMemory),
		RunTimeout: cfg.Limits.RunTimeout, AttentionBytes: int64(cfg.Limits.AttentionBytes),
		Beside: []string{cfg.Runtime.Device}}
	for _, other := range cfg.Models {
		if other.Device != "" {
			o.Beside = append(o.Beside, other.Device)
		}
	}
	if m.Device != "" {
		o.Device = m.Device
	}
	if m.Threads != 0 {
		o.Threads = m.Threads
	}
	return o
}
