package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"textmill/config"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/session"
)

// forDevice gives the graph of the bundle that is made for the device which o comes to: that for cards is made at its
// first use on one. The file that the configuration names runs anywhere; a bundle that was exported elsewhere runs on
// a card as it is, and notes say so.
func forDevice(ctx context.Context, cfg config.Config, spec *models.Spec, o *session.Options,
	log *slog.Logger) (*models.Spec, error) {
	settled, err := o.WithDefaults()
	if err != nil {
		return nil, err
	}
	if *o = settled; o.Device == "cpu" || cfg.Models[spec.Name].ONNXFile != "" || spec.Static != nil {
		return spec, nil
	}
	s, err := checkpoint.Card(ctx, spec.Dir, checkpoint.CardOptions{Library: o.Library, Note: func(note string) {
		log.InfoContext(ctx, note, "model", spec.Name, "device", o.Device)
	}})
	if errors.Is(err, checkpoint.ErrUnsupported) {
		as := *spec
		as.Notes = append(slices.Clone(spec.Notes), fmt.Sprintf("on %s it runs as on a processor, padded and in fp32: %v",
			o.Device, err))
		return &as, nil
	}
	return s, err
}

// CardMemory tells of devices that are cards what their memory is taken by.
func CardMemory(devices []string) ([]session.CardMemory, error) { return session.MemoryOf(devices) }
