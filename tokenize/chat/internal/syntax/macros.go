package syntax

import (
	"strings"
)

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
