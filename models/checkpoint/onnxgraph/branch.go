package onnxgraph

// Branch adds an If, which goes one way where cond, a bool, is true and the other where it is not. Both end in a value
// of that type, made by a node of theirs; what they add is known in them only, what was there before in both.
func (g *Graph) Branch(cond string, elem Elem, yes, no func() string) string {
	before := g.nodes
	way := func(name string, add func() string) Attr {
		g.nodes = nil
		out := add()
		body := text(g.nodes, 2, name)
		return graphAttr(name, field(body, 12, valueInfo(out, elem, nil)))
	}
	ways := []Attr{way("then_branch", yes), way("else_branch", no)}
	g.nodes = before
	return g.Node(ONNX("If"), []string{cond}, ways...)
}
