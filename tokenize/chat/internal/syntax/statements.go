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

// signature parses (a, b=1) of a macro or a call block.
func (p *parser) signature(m *Macro) error {
	if err := p.wantOp("("); err != nil {
		return err
	}
	for !p.isOp(")") {
		if len(m.Params) > 0 {
			if err := p.wantOp(","); err != nil {
				return err
			}
		}
		target, err := p.nameTarget()
		if err != nil {
			return err
		}
		target.Param, target.Store = true, false
		if p.takeOp("=") {
			value, err := p.expression(true)
			if err != nil {
				return err
			}
			m.Defaults = append(m.Defaults, value)
		} else if len(m.Defaults) > 0 {
			return p.fail("parameter %q without a default follows one with", target.ID)
		}
		m.Params = append(m.Params, target)
	}
	p.at++
	return nil
}

func (p *parser) macroTag(line int) (Node, error) {
	name, err := p.nameTarget()
	if err != nil {
		return nil, err
	}
	m := &Macro{Name: name.ID, Line: line}
	if err := p.signature(m); err != nil {
		return nil, err
	}
	m.Body, err = p.apart("endmacro")
	return m, err
}

func (p *parser) callTag(line int) (Node, error) {
	m := &Macro{Name: "caller", Line: line}
	if p.isOp("(") {
		if err := p.signature(m); err != nil {
			return nil, err
		}
	}
	e, err := p.expression(true)
	if err != nil {
		return nil, err
	}
	c, ok := e.(*Call)
	if !ok {
		return nil, &Error{line, syntaxError, "call block without a call"}
	}
	m.Body, err = p.apart("endcall")
	return &CallBlock{c, m, line}, err
}

// loadTag parses the tags that would load another template.
func (p *parser) loadTag(t token) (Node, error) {
	l := &Load{Tag: t.text, Line: t.line}
	var err error
	if l.Template, err = p.expression(true); err != nil {
		return nil, err
	}
	switch t.text {
	case "include":
		if p.isName("ignore") && p.look().text == "missing" {
			p.at += 2
			l.IgnoreMissing = true
		}
		p.context()
	case "import":
		if !p.takeName("as") {
			return nil, p.fail("expected 'as', found %q", p.found())
		}
		name, err := p.nameTarget()
		if err != nil {
			return nil, err
		}
		l.Names = []string{name.ID}
		p.context()
	case "from":
		if !p.takeName("import") {
			return nil, p.fail("expected 'import', found %q", p.found())
		}
		return l, p.imported(l)
	}
	return l, nil
}

// context skips "with context" and "without context", which change nothing here.
func (p *parser) context() bool {
	if p.isName("with", "without") && p.look().kind == tokenName && p.look().text == "context" {
		p.at += 2
		return true
	}
	return false
}

func (p *parser) imported(l *Load) error {
	for {
		if len(l.Names) > 0 {
			if err := p.wantOp(","); err != nil {
				return err
			}
		}
		if p.context() {
			return nil
		}
		name, err := p.nameTarget()
		if err != nil {
			return err
		}
		if strings.HasPrefix(name.ID, "_") {
			return &Error{name.Line, assertionError, "names that begin with an underscore cannot be imported"}
		}
		if p.takeName("as") {
			if name, err = p.nameTarget(); err != nil {
				return err
			}
		}
		l.Names = append(l.Names, name.ID)
		if p.context() || !p.isOp(",") {
			return nil
		}
	}
}
