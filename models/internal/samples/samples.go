// Package samples are texts that graphs are tried with.
package samples

// Texts are of many kinds, so that no precision looks good by luck.
var Texts = []string{
	"The river rises in the hills north of the town and runs for ninety kilometres to the sea. In spring its lower meadows are " +
		"under water, and the farmers bring their cattle to the higher pastures until the middle of May.",
	"func Sum(values []int) int {\n\ttotal := 0\n\tfor _, v := range values {\n\t\ttotal += v\n\t}\n\treturn total\n}\n",
	"Question: A train leaves at 9:40 and arrives at 13:05. How long does the journey take?\nAnswer: From 9:40 to 13:05 there are 3 hours and 25 minutes.",
	"Dear Ms. Alvarez,\n\nthank you for your order of 12 March. Two of the three items were sent today; the third follows next week.\n\nKind regards,\n",
	"Die Bibliothek ist montags geschlossen. An den anderen Tagen öffnet sie um zehn Uhr, und wer ein Buch sucht, fragt am besten gleich am Eingang.",
	`{"id": 17, "name": "lamp", "price": 24.5, "tags": ["light", "desk"], "stock": null}`,
	"Water boils at a lower temperature on a mountain because the pressure of the air is lower there. At 3,000 metres it boils at about 90 °C.",
}

// Spread is a row of n tokens from all over a vocabulary.
func Spread(vocab, n int) []int32 {
	row := make([]int32, n)
	for i := range row {
		row[i] = int32(i * vocab / n)
	}
	return row
}
