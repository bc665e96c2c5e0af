package api

import (
	"textmill/ground/naming"
)

// completionBody is what both kinds of requests for texts take beside what is continued.
func (s *Server) completionBody(required string, what schema, without ...string) schema {
	yes, no := orNull(schema{"type": "boolean"}), schema{"enum": []any{false, nil}}
	tokens := orNull(schema{"type": "integer", "minimum": 1})
	fields := schema{
		required:       what,
		"model":        s.named(naming.TaskGenerate),
		"max_tokens":   about("OpenAI's name of max_new_tokens", tokens),
		"stream":       about("whether the answer comes while it is made", yes),
		"user":         about("kept nowhere", orNull(schema{"type": "string"})),
		"metadata":     about("kept nowhere", orNull(schema{"type": "object", "additionalProperties": schema{"type": "string"}})),
		"model_sha256": about("what the model's hash must be", orNull(schema{"type": "string"})),
		"stream_options": orNull(schema{"type": "object", "additionalProperties": false,
			"properties": schema{"include_usage": yes, "include_obfuscation": yes}}),
		"echo": no,
	}
	return bodyOf(naming.TaskGenerate, []string{"model", required}, fields, append(without, "store_text", "store_token_ids")...)
}

func (s *Server) chatBody() schema {
	text := schema{"type": "string"}
	part := schema{"type": "object", "required": []string{"type", "text"}, "additionalProperties": false,
		"properties": schema{"type": schema{"const": "text"}, "text": text}}
	message := schema{"type": "object", "required": []string{"role", "content"}, "additionalProperties": false,
		"properties": schema{"role": schema{"enum": []string{"system", "developer", "user", "assistant"}},
			"content": schema{"anyOf": []any{text, schema{"type": "array", "items": part, "minItems": 1}}},
			"name":    about("kept nowhere", orNull(text))}}
	body := s.completionBody("messages", schema{"type": "array", "items": message, "minItems": 1})
	body["properties"].(schema)["max_completion_tokens"] = about("OpenAI's newer name of max_new_tokens",
		orNull(schema{"type": "integer", "minimum": 1}))
	return body
}

func (s *Server) promptBody() schema {
	text := schema{"type": "string"}
	body := s.completionBody("prompt", schema{"anyOf": []any{text, schema{"type": "array", "items": text, "minItems": 1, "maxItems": 16}}},
		"top_logprobs")
	body["properties"].(schema)["logprobs"] = about("how many of the likeliest tokens are told beside each token",
		schema{"anyOf": []any{schema{"type": "integer", "minimum": 0, "maximum": 20}, schema{"enum": []any{false, nil}}}})
	return body
}
