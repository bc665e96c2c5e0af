package jobs

import (
	"bytes"
	"errors"
	"fmt"
)

// WithJob is a JSON message with another job in place of the one that it names; one that names none is left as it is.
func WithJob(message []byte, job string) ([]byte, error) {
	s := scanner{data: message}
	for more := s.take('{') && s.peek() != '}'; more; more = s.take(',') {
		name, err := s.key()
		if err != nil {
			return nil, fmt.Errorf("name the job %s: %w", job, err)
		}
		s.space()
		from := s.at
		raw, err := s.value()
		if err != nil {
			return nil, fmt.Errorf("name the job %s: %w", job, err)
		}
		if name == "job" {
			return bytes.Join([][]byte{message[:from], appendQuoted(nil, job), message[from+len(raw):]}, nil), nil
		}
	}
	if !s.take('}') {
		return nil, fmt.Errorf("name the job %s: %w", job, errors.New("the message is not a JSON object"))
	}
	return message, nil
}
