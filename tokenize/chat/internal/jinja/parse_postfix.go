package jinja

import (
	"slices"
	"strconv"
)

func (p *parser) postfix(e expression) (expression, error) {
	var err error
	for err == nil {
		line := p.peek().line
		switch {
		case p.takeOp("."):
			t := p.next()
			switch t.kind {
			case tokenName:
				e = &attributeExpression{e, t.text, line}
			case tokenInteger:
				n, _ := strconv.ParseInt(t.text, 10, 64)
				e = &itemExpression{e, &constant{n}, line}
			default:
				p.at--
				return nil, p.fail("expected a name, found %q", t.text)
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

func (p *parser) subscript(of expression, line int) (expression, error) {
	parts, colons := [3]expression{}, 0
	for !p.isOp("]") {
		if p.takeOp(":") {
			if colons++; colons > 2 {
				return nil, p.fail("too many colons")
			}
			continue
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		parts[colons] = e
		if !p.isOp(":") && !p.isOp("]") {
			return nil, p.fail("expected ']', found %q", p.peek().text)
		}
	}
	p.at++
	if colons > 0 {
		return &sliceExpression{of, parts, line}, nil
	}
	if parts[0] == nil {
		return nil, p.fail("expected a subscript")
	}
	return &itemExpression{of, parts[0], line}, nil
}

// arguments parses (a, b=c) of a call, a filter or a test.
func (p *parser) arguments() (a arguments, err error) {
	if err = p.wantOp("("); err != nil {
		return a, err
	}
	for !p.takeOp(")") {
		if len(a.positional)+len(a.names) > 0 {
			if err = p.wantOp(","); err != nil {
				return a, err
			}
			if p.takeOp(")") {
				break
			}
		}
		if p.isOp("*") || p.isOp("**") {
			return a, p.fail("arguments with %s are not supported", p.peek().text)
		}
		if p.peek().kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=" {
			a.names = append(a.names, p.next().text)
			p.at++
			e, err := p.expression()
			if err != nil {
				return a, err
			}
			a.named = append(a.named, e)
			continue
		}
		if len(a.names) > 0 {
			return a, p.fail("positional argument follows a named one")
		}
		e, err := p.expression()
		if err != nil {
			return a, err
		}
		a.positional = append(a.positional, e)
	}
	return a, nil
}

func (p *parser) call(of expression) (expression, error) {
	line := p.peek().line
	a, err := p.arguments()
	return &callExpression{of, a, line}, err
}

func (p *parser) filter(of expression) (expression, error) {
	line := p.next().line // the pipe
	name, err := p.wantName()
	if err != nil {
		return nil, err
	}
	f := &filterExpression{of: of, name: name, line: line}
	if _, ok := filters[name]; !ok {
		return nil, p.fail("filter %q is not supported", name)
	}
	if p.isOp("(") {
		f.arguments, err = p.arguments()
	}
	return f, err
}

func (p *parser) test(of expression) (expression, error) {
	line := p.next().line // is
	negated := p.takeName("not")
	name, err := p.wantName()
	if err != nil {
		return nil, err
	}
	if _, ok := tests[name]; !ok {
		return nil, p.fail("test %q is not supported", name)
	}
	t := &testExpression{of: of, name: name, line: line, negated: negated}
	k := p.peek()
	switch {
	case p.isOp("("):
		t.arguments, err = p.arguments()
	case k.kind == tokenString, k.kind == tokenInteger, k.kind == tokenFloat, p.isOp("["), p.isOp("{"),
		k.kind == tokenName && !slices.Contains([]string{"else", "or", "and", "is", "if", "in", "not", "recursive"}, k.text):
		var e expression
		if e, err = p.primary(); err == nil {
			e, err = p.postfix(e)
		}
		t.arguments.positional = []expression{e}
	}
	return t, err
}
