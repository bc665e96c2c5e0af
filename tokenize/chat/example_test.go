package chat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"textmill/tokenize/chat"
)

func ExampleTemplate_Render() {
	// chat.LoadConfig reads a model's template and its named tokens from its files.
	t, err := chat.ParseTemplate(`{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{{ eos_token }}
{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`, &chat.Config{Tokens: map[string]string{"eos_token": "</s>"}})
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := t.Render(chat.Conversation{
		Messages:            json.RawMessage(`[{"role":"user","content":" What is gravity? "}]`),
		AddGenerationPrompt: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(prompt)
	// Output:
	// <|user|>What is gravity?</s>
	// <|assistant|>
}

// A template comes with a model from outside: one that takes too long is refused, like one that is wrong.
func ExampleTemplate_Render_endless() {
	t, err := chat.ParseTemplate(`{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}`, &chat.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = t.Render(chat.Conversation{Messages: json.RawMessage(`[]`)})
	fmt.Println(errors.Is(err, chat.ErrTemplate), err)
	// Output:
	// true chat template: template line 1: the template runs too long
}
