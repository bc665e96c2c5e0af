package checkpoint

import (
	"errors"
	"path/filepath"

	"textmill/ground/durable"
)

// Remove takes a bundle out of the models' folder, whole: what a killed removal leaves of it is no bundle, and goes
// with the next import or removal. Who has its files open goes on with them. Of a link only the link goes.
func Remove(dir, name string) error {
	s, err := newStaging(dir)
	if err != nil {
		return err
	}
	err = durable.Move(filepath.Join(dir, name), filepath.Join(s.dir, name))
	return errors.Join(err, s.remove())
}
