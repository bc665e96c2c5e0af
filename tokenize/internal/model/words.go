package model

// Words is a model with a cache of words before it.
type Words struct{ model Model }

// NewWords puts a cache before m.
func NewWords(m Model) *Words { return &Words{m} }

// Word returns the tokens of a word. They must not be changed and are good until the next call.
func (w *Words) Word(word string, s *Scratch) ([]Token, error) {
	hash := hashWord(word)
	if tokens, ok := s.cache.get(word, hash); ok {
		return tokens, nil
	}
	var err error
	if s.tokens, err = w.model.Append(s.tokens[:0], word, s); err != nil {
		return nil, err
	}
	s.cache.put(word, hash, s.tokens)
	return s.tokens, nil
}
