package syntax

import (
	"fmt"
	"strings"

	"textmill/tokenize/chat/internal/python"
)

// statement parses a tag up to its end, which stays.
func (p *parser) statement() (Node, error) {
	t := p.next()
	if t.kind != tokenName {
		p.at--
		return nil, p.fail("expected the name of a tag, found %q", p.found())
	}
	switch t.text {
	case "for":
		return p.forTag(t.line)
	case "if":
		return p.ifTag(t.line)
	case "set":
		return p.setTag(t.line)
	case "macro":
		return p.macroTag(t.line)
	case "call":
		return p.callTag(t.line)
	case "filter":
		return p.filterTag(t.line)
	case "with":
		return p.withTag()
	case "block":
		return p.blockTag(t.line)
	case "print":
		return p.printTag(t.line)
	case "autoescape":
		on, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		body, err := p.until("endautoescape")
		return &Autoescape{on, body, t.line}, err
	case "generation":
		body, err := p.apart("endgeneration")
		return &CallBlock{Macro: &Macro{Name: "caller", Body: body, Line: t.line}, Line: t.line}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, &Error{t.line, "SyntaxError", fmt.Sprintf("%q outside of a loop", t.text)}
		}
		return &Jump{t.text == "break", t.line}, nil
	case "extends", "include", "import", "from":
		return p.loadTag(t)
	}
	p.at--
	return nil, p.fail("unknown tag %q", t.text)
}

func (p *parser) forTag(line int) (Node, error) {
	f := &For{Line: line}
	var err error
	if f.Target, err = p.target("in"); err != nil {
		return nil, err
	}
	if !p.takeName("in") {
		return nil, p.fail("expected 'in', found %q", p.found())
	}
	if f.Iter, err = p.tuple(false, false, "recursive"); err != nil {
		return nil, err
	}
	if p.takeName("if") {
		if f.Test, err = p.expression(true); err != nil {
			return nil, err
		}
	}
	f.Recursive = p.takeName("recursive")
	loops := p.loops
	if f.Recursive {
		p.loops = 0
	}
	p.loops++
	var end string
	f.Body, end, err = p.block("endfor", "else")
	p.loops--
	if err == nil && end == "else" {
		f.Else, err = p.until("endfor")
	}
	p.loops = loops
	return f, err
}

func (p *parser) ifTag(line int) (Node, error) {
	s := &If{Line: line}
	for {
		test, err := p.tuple(false, false)
		if err != nil {
			return nil, err
		}
		body, end, err := p.block("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.Tests, s.Bodies = append(s.Tests, test), append(s.Bodies, body)
		switch end {
		case "else":
			s.Else, err = p.until("endif")
			return s, err
		case "endif":
			return s, nil
		}
	}
}

func (p *parser) setTag(line int) (Node, error) {
	target, err := p.setTarget()
	if err != nil {
		return nil, err
	}
	if p.takeOp("=") {
		value, err := p.tuple(true, false)
		return &Set{target, value, line}, err
	}
	s := &SetBlock{Target: target, Line: line}
	if p.isOp("|") {
		if s.Filter, err = p.filters(nil); err != nil {
			return nil, err
		}
	}
	s.Body, err = p.until("endset")
	return s, err
}

func (p *parser) filterTag(line int) (Node, error) {
	p.at-- // the parser of filters wants a pipe; "filter" stands in its place
	p.tokens[p.at] = token{tokenOperator, "|", line}
	f, err := p.filters(nil)
	if err != nil {
		return nil, err
	}
	body, err := p.until("endfilter")
	return &FilterBlock{body, f, line}, err
}

func (p *parser) withTag() (Node, error) {
	w := &With{}
	for p.peek().kind != tokenBlockEnd {
		if len(w.Targets) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		target, err := p.target()
		if err != nil {
			return nil, err
		}
		asParameter(target)
		if err := p.wantOp("="); err != nil {
			return nil, err
		}
		value, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		w.Targets, w.Values = append(w.Targets, target), append(w.Values, value)
	}
	var err error
	w.Body, err = p.until("endwith")
	return w, err
}

func asParameter(target Expr) {
	switch t := target.(type) {
	case *Name:
		t.Param, t.Store = true, false
	case *Tuple:
		for _, item := range t.Items {
			asParameter(item)
		}
	}
}

func (p *parser) blockTag(line int) (Node, error) {
	name, err := p.wantName()
	if err != nil {
		return nil, err
	}
	b := &Block{Name: name, Line: line}
	b.Scoped = p.takeName("scoped")
	b.Required = p.takeName("required")
	if b.Body, err = p.apart("endblock"); err != nil {
		return nil, err
	}
	if b.Required && !blank(b.Body) {
		return nil, p.fail("required blocks can only contain comments or white space")
	}
	p.takeName(name)
	return b, nil
}

func blank(body []Node) bool {
	for _, n := range body {
		out, ok := n.(*Output)
		if !ok {
			return false
		}
		for _, e := range out.Nodes {
			d, ok := e.(*Data)
			if !ok || strings.TrimFunc(d.Text, python.IsSpace) != "" {
				return false
			}
		}
	}
	return true
}

func (p *parser) printTag(line int) (Node, error) {
	out := &Output{Line: line}
	for p.peek().kind != tokenBlockEnd {
		if len(out.Nodes) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		e, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		out.Nodes = append(out.Nodes, e)
	}
	return out, nil
}
