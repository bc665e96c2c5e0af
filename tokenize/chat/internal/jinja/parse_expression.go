package jinja

import (
	"slices"
	"strconv"
)

// tuple parses an expression, or several with commas between, which make a tuple.
func (p *parser) tuple(conditional bool) (expression, error) {
	parse := p.expression
	if !conditional {
		parse = p.or // `for x in y if z`: the if is not of the expression
	}
	first, err := parse()
	if err != nil || !p.isOp(",") {
		return first, err
	}
	t := &listExpression{items: []expression{first}, tuple: true}
	for p.takeOp(",") {
		if k := p.peek().kind; k == tokenBlockEnd || k == tokenPrintEnd || p.isOp(")") {
			break
		}
		e, err := parse()
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, e)
	}
	return t, nil
}

// expression parses anything, `a if b else c` included.
func (p *parser) expression() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	e, err := p.or()
	for err == nil && p.takeName("if") {
		c := &conditionalExpression{then: e}
		if c.condition, err = p.or(); err == nil && p.takeName("else") {
			c.otherwise, err = p.expression()
		}
		e = c
	}
	return e, err
}

func (p *parser) or() (expression, error) {
	left, err := p.and()
	for err == nil && p.takeName("or") {
		b := &logicExpression{left: left, or: true}
		b.right, err = p.and()
		left = b
	}
	return left, err
}

func (p *parser) and() (expression, error) {
	left, err := p.not()
	for err == nil && p.takeName("and") {
		b := &logicExpression{left: left}
		b.right, err = p.not()
		left = b
	}
	return left, err
}

func (p *parser) not() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.isName("not") {
		p.at++
		e, err := p.not()
		return &notExpression{e}, err
	}
	return p.compare()
}

func (p *parser) compare() (expression, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := &compareExpression{first: first, line: p.peek().line}
	for {
		op := ""
		switch t := p.peek(); {
		case t.kind == tokenOperator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			op = t.text
			p.at++
		case p.takeName("in"):
			op = "in"
		case p.isName("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			op = "not in"
			p.at += 2
		}
		if op == "" {
			break
		}
		e, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.operators, c.operands = append(c.operators, op), append(c.operands, e)
	}
	if len(c.operators) == 0 {
		return first, nil
	}
	return c, nil
}

// binary parses operators of one precedence, left to right.
func (p *parser) binary(operand func() (expression, error), ops ...string) (expression, error) {
	left, err := operand()
	for err == nil {
		t := p.peek()
		if t.kind != tokenOperator || !slices.Contains(ops, t.text) {
			break
		}
		p.at++
		b := &binaryExpression{operator: t.text, left: left, line: t.line}
		b.right, err = operand()
		left = b
	}
	return left, err
}

func (p *parser) sum() (expression, error)     { return p.binary(p.concat, "+", "-") }
func (p *parser) concat() (expression, error)  { return p.binary(p.product, "~") }
func (p *parser) product() (expression, error) { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() (expression, error) {
	return p.binary(func() (expression, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var e expression
	var err error
	t := p.peek()
	switch {
	case p.takeOp("-"), p.takeOp("+"):
		if e, err = p.unary(false); err == nil {
			e = &signExpression{e, t.text == "-", t.line}
		}
	default:
		e, err = p.primary()
	}
	if err == nil {
		e, err = p.postfix(e)
	}
	for err == nil && filters {
		switch {
		case p.isOp("|"):
			e, err = p.filter(e)
		case p.isName("is"):
			e, err = p.test(e)
		case p.isOp("("):
			e, err = p.call(e)
		default:
			return e, nil
		}
	}
	return e, err
}

func (p *parser) primary() (expression, error) {
	t := p.next()
	switch t.kind {
	case tokenName:
		switch t.text {
		case "true", "True":
			return &constant{true}, nil
		case "false", "False":
			return &constant{false}, nil
		case "none", "None":
			return &constant{nil}, nil
		case "varargs", "kwargs":
			p.at--
			return nil, p.fail("%s is not supported", t.text)
		case "caller":
			p.caller = true
		}
		return &nameExpression{t.text, t.line}, nil
	case tokenString:
		s := t.text
		for p.peek().kind == tokenString {
			s += p.next().text
		}
		return &constant{s}, nil
	case tokenInteger:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			p.at--
			return nil, p.fail("integer %s is too large", t.text)
		}
		return &constant{n}, nil
	case tokenFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.at--
			return nil, p.fail("number %s is too large", t.text)
		}
		return &constant{f}, nil
	case tokenOperator:
		switch t.text {
		case "(":
			if p.takeOp(")") {
				return &listExpression{tuple: true}, nil
			}
			e, err := p.tuple(true)
			if err == nil {
				err = p.wantOp(")")
			}
			return e, err
		case "[":
			items, err := p.items("]")
			return &listExpression{items: items}, err
		case "{":
			return p.dict()
		}
	}
	p.at--
	return nil, p.fail("unexpected %q", t.text)
}

func (p *parser) items(end string) ([]expression, error) {
	var items []expression
	for !p.takeOp(end) {
		if len(items) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.takeOp(end) {
				break
			}
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, nil
}

func (p *parser) dict() (expression, error) {
	d := &dictExpression{line: p.peek().line}
	for !p.takeOp("}") {
		if len(d.keys) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.takeOp("}") {
				break
			}
		}
		k, err := p.expression()
		if err == nil {
			err = p.wantOp(":")
		}
		if err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, k), append(d.values, v)
	}
	return d, nil
}
