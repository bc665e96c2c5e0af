package models

import (
	"fmt"
	"strings"
)

// resolve decides what several files speak of. Contradictions end in Notes, or in an error where no choice is safe.
func (s *Spec) resolve(c *configs) error {
	s.Heads = c.model.heads()
	if err := s.resolvePrompts(c); err != nil {
		return err
	}
	if err := s.resolveDim(c); err != nil {
		return err
	}
	if err := s.resolveLength(c); err != nil {
		return err
	}
	return s.resolvePadding(c)
}

func (s *Spec) resolvePrompts(c *configs) error {
	s.Lowercase = c.sentence.DoLowerCase
	s.Prompts = c.prompts.Prompts
	if c.prompts.Similarity != nil {
		s.Similarity = *c.prompts.Similarity
	}
	if name := c.prompts.DefaultPromptName; name != nil {
		if _, ok := s.Prompts[*name]; !ok {
			return fmt.Errorf("%w: config_sentence_transformers.json: default_prompt_name is %q, which prompts does not have",
				ErrBundle, *name)
		}
		s.DefaultPrompt = *name
	}
	return nil
}

func (s *Spec) resolveDim(c *configs) (err error) {
	if hidden := c.model.hidden(); s.Output.Rank == 3 && hidden > 0 && s.Hidden > 0 && s.Hidden != hidden {
		return fmt.Errorf("%w: dimensions differ: output %s of %s has %d, config.json says %d", ErrBundle, s.Output.Name,
			s.Graph, s.Hidden, hidden)
	}
	s.Hidden = firstPositive(s.Hidden, c.model.hidden())
	if s.Hidden == 0 {
		return fmt.Errorf("%w: neither %s nor config.json nor the pooling config says how long its vectors are", ErrBundle,
			s.Graph)
	}
	if s.Dim, err = s.DimOf(s.Pooling); err != nil {
		return fmt.Errorf("%w: modules.json: %w", ErrBundle, err)
	}
	if cut := c.prompts.TruncateDim; cut != nil && *cut > 0 && *cut < s.Dim {
		s.Truncate = *cut
	}
	return nil
}

func (s *Spec) resolveLength(c *configs) error {
	type claim struct {
		file   string
		length int
	}
	var claims []claim
	if n := c.sentence.MaxSeqLength; n != nil && *n > 0 {
		claims = append(claims, claim{c.sentence.name, *n})
	}
	if n := c.tokenizer.ModelMaxLength; n > 0 && n < 1e9 {
		claims = append(claims, claim{"tokenizer_config.json", int(n)})
	}
	positions := c.model.positions()
	usable := positions - c.model.offset()
	if positions > 0 {
		claims = append(claims, claim{"config.json", usable})
	}
	if len(claims) == 0 {
		return fmt.Errorf("%w: none of sentence_bert_config.json, tokenizer_config.json and config.json says how long a text may be", ErrBundle)
	}
	first := claims[0]
	s.MaxLength = first.length
	if first.file == "tokenizer_config.json" && positions > 0 && s.MaxLength > positions { // as sentence-transformers does
		first = claims[len(claims)-1]
		s.MaxLength = usable
	}
	if positions > 0 && s.MaxLength > positions {
		return fmt.Errorf("%w: %s says texts may have %d tokens, config.json has only %d positions (max_position_embeddings)", ErrBundle, first.file, s.MaxLength, positions)
	}
	if positions > 0 && s.MaxLength > usable {
		s.note("maximum length: %s says %d, but of the %d positions in config.json a %s model can use %d: %d it is",
			first.file, s.MaxLength, positions, c.model.ModelType, usable, usable)
		s.MaxLength = usable
	}
	if s.MaxLength < 1 {
		return fmt.Errorf("%w: texts could have %d tokens: config.json has %d positions, of which a %s model leaves %d unused", ErrBundle, s.MaxLength, positions, c.model.ModelType, c.model.offset())
	}
	for _, other := range claims[1:] {
		if other.length != s.MaxLength {
			s.note("maximum length is %d tokens, as %s says; %s says %d", s.MaxLength, first.file, other.file, other.length)
		}
	}
	if t := c.engine.Truncation; t != nil && t.MaxLength != s.MaxLength {
		s.note("maximum length is %d tokens, as %s says; the truncation to %d inside tokenizer.json is not used",
			s.MaxLength, first.file, t.MaxLength)
	}
	return nil
}

func (s *Spec) resolvePadding(c *configs) error {
	padding := c.engine.Padding
	s.PaddingSide = "right"
	if padding != nil && padding.Direction != "" {
		s.PaddingSide = strings.ToLower(padding.Direction)
	}
	if side := c.tokenizer.PaddingSide; side != "" {
		if padding != nil && side != s.PaddingSide {
			s.note("padding side is %s, as tokenizer_config.json says; tokenizer.json says %s", side, s.PaddingSide)
		}
		s.PaddingSide = side
	}
	if s.PaddingSide != "right" && s.PaddingSide != "left" {
		return fmt.Errorf("%w: padding side %q is neither right nor left", ErrBundle, s.PaddingSide)
	}

	id, found := int32(0), false
	from := "tokenizer_config.json"
	if token := string(c.tokenizer.PadToken); token != "" {
		if id, found = c.tokenID(token); found && c.model.PadTokenID != nil && *c.model.PadTokenID != id {
			s.note("pad id is %d (%s in tokenizer_config.json); config.json says %d", id, token, *c.model.PadTokenID)
		}
	}
	if !found && c.model.PadTokenID != nil && *c.model.PadTokenID >= 0 {
		id, found, from = *c.model.PadTokenID, true, "config.json"
	}
	if !found && padding != nil {
		id, found, from = padding.PadID, true, "tokenizer.json"
	}
	if !found {
		return fmt.Errorf("%w: no pad id: tokenizer_config.json names no pad_token that tokenizer.json knows, and config.json has no pad_token_id", ErrBundle)
	}
	if id < 0 {
		return fmt.Errorf("%w: the pad id is %d, as %s says; no token has it", ErrBundle, id, from)
	}
	if padding != nil && padding.PadID != id {
		s.note("pad id is %d, as %s says; the padding inside tokenizer.json says %d", id, from, padding.PadID)
	}
	s.PadID = id
	return nil
}
