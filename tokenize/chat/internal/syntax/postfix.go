package syntax

import (
	"fmt"
)

func (p *parser) postfix(e Expr) (Expr, error) {
	var err error
	for err == nil {
		line := p.peek().line
		switch {
		case p.takeOp("."):
			t := p.next()
			switch t.kind {
			case tokenName:
				e = &Getattr{e, t.text, line}
			case tokenInteger:
				var n Expr
				n, err = p.integer(t)
				e = &Getitem{e, n, line}
			default:
				p.at--
				return nil, p.fail("expected a name, found %q", p.found())
			}
		case p.takeOp("["):
			e, err = p.subscript(e, line)
		case p.isOp("("):
			e, err = p.call(e)
		default:
			return e, nil
		}
	}
	return nil, err
}

func (p *parser) subscript(of Expr, line int) (Expr, error) {
	var args []Expr
	for !p.isOp("]") {
		if len(args) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		e, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		args = append(args, e)
	}
	p.at++
	if len(args) == 1 {
		return &Getitem{of, args[0], line}, nil
	}
	for _, a := range args {
		if _, ok := a.(*Slice); ok {
			return nil, &Error{line, "SyntaxError", "a slice among several subscripts"}
		}
	}
	return &Getitem{of, &Tuple{args}, line}, nil
}

// subscribed parses one subscript: an expression or a slice.
func (p *parser) subscribed() (Expr, error) {
	s := &Slice{}
	for i := range 3 {
		if !p.isOp(":") && !p.isOp("]") && !p.isOp(",") {
			e, err := p.expression(true)
			if err != nil {
				return nil, err
			}
			s.Parts[i] = e
		}
		if !p.isOp(":") {
			if i == 0 {
				if s.Parts[0] == nil {
					return nil, p.fail("expected a subscript, found %q", p.found())
				}
				return s.Parts[0], nil
			}
			return s, nil
		}
		if i < 2 {
			p.at++
		}
	}
	return s, nil
}

// arguments parses (a, b=c, *d, **e) of a call, a filter or a test.
func (p *parser) arguments() (a Args, err error) {
	line := p.peek().line
	invalid := &Error{line, syntaxError, "invalid syntax for function call expression"}
	if err = p.wantOp("("); err != nil {
		return a, err
	}
	for first := true; !p.takeOp(")"); first = false {
		if !first {
			if err = p.wantOp(","); err != nil {
				return a, err
			}
			if p.takeOp(")") {
				break
			}
		}
		var into *Expr
		switch {
		case p.takeOp("*"):
			if a.Star != nil || a.StarStar != nil {
				return a, invalid
			}
			into = &a.Star
		case p.takeOp("**"):
			if a.StarStar != nil {
				return a, invalid
			}
			into = &a.StarStar
		case p.peek().kind == tokenName && p.look().kind == tokenOperator && p.look().text == "=":
			if a.StarStar != nil {
				return a, invalid
			}
			name := p.next().text
			for _, n := range a.Names {
				if n == name {
					return a, &Error{line, "SyntaxError", fmt.Sprintf("keyword argument repeated: %s", name)}
				}
			}
			a.Names = append(a.Names, name)
			p.at++
			a.Named = append(a.Named, nil)
			into = &a.Named[len(a.Named)-1]
		default:
			if a.Star != nil || a.StarStar != nil || len(a.Names) > 0 {
				return a, invalid
			}
			a.Pos = append(a.Pos, nil)
			into = &a.Pos[len(a.Pos)-1]
		}
		if *into, err = p.expression(true); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (p *parser) call(of Expr) (Expr, error) {
	line := p.peek().line
	a, err := p.arguments()
	return &Call{of, a, line}, err
}

// dotted parses the name of a filter or a test, which may hold points.
func (p *parser) dotted() (string, error) {
	name, err := p.wantName()
	for err == nil && p.takeOp(".") {
		var part string
		part, err = p.wantName()
		name += "." + part
	}
	return name, err
}

// filters parses |a|b(1) behind an expression, nil for what a block holds.
func (p *parser) filters(of Expr) (*Filter, error) {
	var f *Filter
	for p.takeOp("|") {
		line := p.peek().line
		name, err := p.dotted()
		if err != nil {
			return nil, err
		}
		f = &Filter{Of: of, Name: name, Line: line}
		if p.isOp("(") {
			if f.Args, err = p.arguments(); err != nil {
				return nil, err
			}
		}
		of = f
	}
	return f, nil
}

func (p *parser) test(of Expr) (Expr, error) {
	line := p.next().line // is
	negated := p.takeName("not")
	name, err := p.dotted()
	if err != nil {
		return nil, err
	}
	t := &Test{Of: of, Name: name, Line: line}
	k := p.peek().kind
	switch {
	case p.isOp("("):
		t.Args, err = p.arguments()
	case p.isName("else", "or", "and"):
	case p.isName("is"):
		return nil, p.fail("tests cannot be chained with is")
	case k == tokenName, k == tokenString, k == tokenInteger, k == tokenFloat, p.isOp("["), p.isOp("{"):
		var e Expr
		if e, err = p.primary(); err == nil {
			e, err = p.postfix(e)
		}
		t.Pos = []Expr{e}
	}
	if err != nil {
		return nil, err
	}
	if negated {
		return &Not{t}, nil
	}
	return t, nil
}
