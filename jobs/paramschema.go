package jobs

import "math"

// schema is the JSON Schema of a param's values; null leaves the param out.
func (p param[T]) schema() map[string]any {
	number := func(kind string) map[string]any {
		s := map[string]any{"type": kind, "minimum": p.least, "maximum": p.most}
		if p.least == aboveZero {
			delete(s, "minimum")
			s["exclusiveMinimum"] = 0
		}
		if p.least == math.MinInt64 {
			return map[string]any{"type": kind}
		}
		return s
	}
	text := map[string]any{"type": "string", "minLength": 1}
	id := map[string]any{"type": "integer", "minimum": 0, "maximum": math.MaxInt32}
	null := map[string]any{"type": "null"}
	oneOrMore := func(one map[string]any) map[string]any {
		return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one}, null}}
	}
	var s map[string]any
	switch p.kind {
	case textParam:
		if s = map[string]any{"type": "string"}; p.allowed != nil {
			s["enum"] = p.allowed
		}
	case boolParam:
		s = map[string]any{"type": "boolean"}
	case intParam:
		s = number("integer")
	case floatParam:
		s = number("number")
	case biasParam:
		s = map[string]any{"type": "object", "propertyNames": map[string]any{"pattern": "^(0|[1-9][0-9]*)$"},
			"additionalProperties": number("number")}
	case rangesParam:
		values := map[string]any{"type": "array", "items": map[string]any{"type": "number"}, "minItems": 1}
		s = map[string]any{"type": "array", "items": values, "minItems": 2, "maxItems": 2}
	case textsParam:
		return oneOrMore(text)
	case idsParam:
		return oneOrMore(id)
	}
	return map[string]any{"anyOf": []any{s, null}}
}
