package syntax

import "fmt"

// target parses what a loop or a with-block binds.
func (p *parser) target(ends ...string) (Expr, error) { return p.targets(false, ends...) }

// setTarget parses what a set binds, attributes of namespaces too.
func (p *parser) setTarget() (Expr, error) { return p.targets(true) }

func (p *parser) targets(namespaces bool, ends ...string) (Expr, error) {
	line := p.peek().line
	e, err := p.list(func() (Expr, error) {
		if t := p.peek(); namespaces && t.kind == tokenName && p.look().kind == tokenOperator && p.look().text == "." {
			if _, constant := constants[t.text]; !constant {
				p.at += 2
				attr, err := p.wantName()
				return &NSRef{t.text, attr, t.line}, err
			}
		}
		return p.primary()
	}, false, ends...)
	if err != nil {
		return nil, err
	}
	if !store(e) {
		return nil, &Error{line, syntaxError, "can't assign to that"}
	}
	return e, nil
}

// store makes targets of names, and says whether the expression can be one.
func store(e Expr) bool {
	switch x := e.(type) {
	case *Name:
		x.Store = true
		return true
	case *NSRef:
		return true
	case *Tuple:
		for _, item := range x.Items {
			if !store(item) {
				return false
			}
		}
		return true
	}
	return false
}

func (p *parser) nameTarget() (*Name, error) {
	line := p.peek().line
	name, err := p.wantName()
	if err != nil {
		return nil, err
	}
	if _, constant := constants[name]; constant {
		return nil, &Error{line, syntaxError, fmt.Sprintf("can't assign to %s", name)}
	}
	return &Name{ID: name, Line: line, Store: true}, nil
}
