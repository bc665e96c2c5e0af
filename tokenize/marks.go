package tokenize

import "textmill/tokenize/internal/spec"

// A Mark is what pieces of a vocabulary use for something that is not a letter of the text.
type Mark struct {
	Mark  string `json:"mark"`
	Means string `json:"means"`
}

// Marks are those that the tokenizer's decoder knows; nil where a piece is what it says.
func (t *Tokenizer) Marks() []Mark { return t.marks }

// marksOf reads them from the decoders, which turn them back into text.
func marksOf(decoders []spec.Decoder) (marks []Mark) {
	for _, d := range decoders {
		switch {
		case d.Type == "ByteLevel":
			marks = append(marks, Mark{"Ġ", "a space"}, Mark{"Ċ", "a line break"}, Mark{"ĉ", "a tab"})
		case d.Type == "WordPiece" && d.Suffix != "":
			marks = append(marks, Mark{d.Suffix, "goes on with the word of the piece before it"})
		case d.Type == "BPEDecoder" && d.Suffix != "":
			marks = append(marks, Mark{d.Suffix, "the end of a word"})
		case d.Type == "Metaspace":
			marks = append(marks, Mark{string(d.Replacement), "a space, or the beginning of the text"})
		case d.Type == "Replace" && d.Content == " " && !d.Pattern.Regex && d.Pattern.Text != "":
			marks = append(marks, Mark{d.Pattern.Text, "a space"})
		case d.Type == "ByteFallback":
			marks = append(marks, Mark{"<0x", "one byte of a character that has no piece of its own"})
		}
	}
	return marks
}
