package bundles

import (
	"fmt"

	"textmill/models"
)

// graphAnswer is a graph for a card, with what it stamps rows with.
type graphAnswer struct {
	models.CardGraph
	SHA256 string `json:"model_sha256"`
}

// cardsOf are the graphs for a card that a bundle has; one that cannot be opened is a note.
func cardsOf(s *models.Spec, a *modelAnswer) (cards []graphAnswer) {
	for _, c := range s.Cards {
		card, err := models.OpenCard(s.Dir, c.Precision)
		if err != nil {
			a.Notes = append(a.Notes, err.Error())
			continue
		}
		cards = append(cards, graphAnswer{c, card.SHA256})
	}
	return cards
}

// cardLine says in a line what a graph for a card is.
func cardLine(c models.CardGraph) string { return fmt.Sprintf("%s, for a card: %s", c.File, c.Why) }
