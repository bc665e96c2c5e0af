package chat

import (
	"fmt"

	"textmill/tokenize/chat/internal/python"
)

// reasoningFields are the names under which messages carry reasoning, the one that counts first.
var reasoningFields = []string{"reasoning_content", "thinking", "reasoning"}

// normalized makes messages what transformers shows to templates: members that are null are left out, and reasoning
// stands under both names that templates look for.
func normalized(messages any) (any, error) {
	list, ok := messages.(*python.List)
	if !ok {
		return nil, fmt.Errorf("%w: messages: a list is wanted, not %s", ErrTemplate, python.TypeName(messages))
	}
	out := &python.List{Items: make([]any, len(list.Items))}
	for i, item := range list.Items {
		message, ok := item.(*python.Dict)
		if !ok {
			return nil, fmt.Errorf("%w: messages[%d]: an object is wanted, not %s", ErrTemplate, i, python.TypeName(item))
		}
		out.Items[i] = normalizedMessage(message)
	}
	return out, nil
}

func normalizedMessage(message *python.Dict) *python.Dict {
	out := python.NewDict()
	var reasoning any
	for _, name := range reasoningFields {
		if v, _ := message.GetString(name); v != nil && reasoning == nil {
			reasoning = v
		}
	}
	if reasoning != nil {
		out.SetString("thinking", reasoning)
	}
	for i := range message.Len() {
		if k, v := message.At(i); v != nil {
			out.SetString(k.(string), v) // JSON has no other keys
		}
	}
	if reasoning != nil {
		out.SetString("reasoning_content", reasoning)
	}
	return out
}

// objects checks a list whose items must be objects.
func objects(name string, v any) error {
	list, ok := v.(*python.List)
	if !ok {
		return fmt.Errorf("%w: %s: a list is wanted, not %s", ErrTemplate, name, python.TypeName(v))
	}
	for i, item := range list.Items {
		if _, ok := item.(*python.Dict); !ok {
			return fmt.Errorf("%w: %s[%d]: an object is wanted, not %s", ErrTemplate, name, i, python.TypeName(item))
		}
	}
	return nil
}
