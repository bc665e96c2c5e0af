package onnxgraph

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// An Attr is an operator's attribute.
type Attr struct{ encoded []byte }

// ONNX's numbers of attribute types.
const (
	attrFloat = 1
	attrInt   = 2
	attrText  = 3
	attrGraph = 5
)

func attr(name string, kind uint64, value func([]byte) []byte) Attr {
	b := text(nil, 1, name)
	b = value(b)
	return Attr{number(b, 20, kind)}
}

// Int is an attribute that is an integer.
func Int(name string, v int) Attr {
	return attr(name, attrInt, func(b []byte) []byte { return number(b, 3, uint64(int64(v))) })
}

// Float is an attribute that is a number.
func Float(name string, v float64) Attr {
	return attr(name, attrFloat, func(b []byte) []byte {
		return protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(float32(v)))
	})
}

// Text is an attribute that is a text.
func Text(name, v string) Attr {
	return attr(name, attrText, func(b []byte) []byte { return field(b, 4, []byte(v)) })
}

func graphAttr(name string, graph []byte) Attr {
	return attr(name, attrGraph, func(b []byte) []byte { return field(b, 6, graph) })
}
