package syntax

import (
	"slices"
)

// tuple parses an expression, or several with commas between, which make a tuple.
func (p *parser) tuple(conditional, parenthesized bool, ends ...string) (Expr, error) {
	return p.list(func() (Expr, error) { return p.expression(conditional) }, parenthesized, ends...)
}

func (p *parser) list(parse func() (Expr, error), parenthesized bool, ends ...string) (Expr, error) {
	var items []Expr
	isTuple := false
	for {
		if len(items) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		if k := p.peek().kind; k == tokenBlockEnd || k == tokenPrintEnd || p.isOp(")") || p.isName(ends...) {
			break
		}
		e, err := parse()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.isOp(",") {
			break
		}
		isTuple = true
	}
	if isTuple || len(items) == 0 && parenthesized {
		return &Tuple{items}, nil
	}
	if len(items) == 0 {
		return nil, p.fail("expected an expression, found %q", p.found())
	}
	return items[0], nil
}

// expression parses anything, `a if b else c` included if that is wanted.
func (p *parser) expression(conditional bool) (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	line := p.peek().line
	e, err := p.or()
	for err == nil && conditional && p.takeName("if") {
		c := &Cond{Then: e, Line: line}
		if c.Test, err = p.or(); err == nil && p.takeName("else") {
			c.Else, err = p.expression(true)
		}
		e = c
		line = p.peek().line
	}
	return e, err
}

func (p *parser) or() (Expr, error) {
	left, err := p.and()
	for err == nil && p.takeName("or") {
		l := &Logic{Left: left, Or: true}
		l.Right, err = p.and()
		left = l
	}
	return left, err
}

func (p *parser) and() (Expr, error) {
	left, err := p.not()
	for err == nil && p.takeName("and") {
		l := &Logic{Left: left}
		l.Right, err = p.not()
		left = l
	}
	return left, err
}

func (p *parser) not() (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.takeName("not") {
		e, err := p.not()
		return &Not{e}, err
	}
	return p.compare()
}

func (p *parser) compare() (Expr, error) {
	c := &Compare{Line: p.peek().line}
	var err error
	if c.First, err = p.sum(); err != nil {
		return nil, err
	}
	for {
		op := ""
		switch t := p.peek(); {
		case t.kind == tokenOperator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			op = t.text
			p.at++
		case p.takeName("in"):
			op = "in"
		case p.isName("not") && p.look().kind == tokenName && p.look().text == "in":
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
		c.Ops, c.Operands = append(c.Ops, op), append(c.Operands, e)
	}
	if len(c.Ops) == 0 {
		return c.First, nil
	}
	return c, nil
}

// binary parses operators of one precedence, left to right.
func (p *parser) binary(operand func() (Expr, error), ops ...string) (Expr, error) {
	left, err := operand()
	for err == nil {
		t := p.peek()
		if t.kind != tokenOperator || !slices.Contains(ops, t.text) {
			break
		}
		p.at++
		b := &Binary{Op: t.text, Left: left, Line: t.line}
		b.Right, err = operand()
		left = b
	}
	return left, err
}

func (p *parser) sum() (Expr, error)     { return p.binary(p.concat, "+", "-") }
func (p *parser) product() (Expr, error) { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() (Expr, error) {
	return p.binary(func() (Expr, error) { return p.unary(true) }, "**")
}

func (p *parser) concat() (Expr, error) {
	line := p.peek().line
	first, err := p.product()
	if err != nil || !p.isOp("~") {
		return first, err
	}
	c := &Concat{Parts: []Expr{first}, Line: line}
	for p.takeOp("~") {
		e, err := p.product()
		if err != nil {
			return nil, err
		}
		c.Parts = append(c.Parts, e)
	}
	return c, nil
}

func (p *parser) unary(filters bool) (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var e Expr
	var err error
	t := p.peek()
	if p.takeOp("-") || p.takeOp("+") {
		if e, err = p.unary(false); err == nil {
			e = &Unary{t.text, e, t.line}
		}
	} else {
		e, err = p.primary()
	}
	if err == nil {
		e, err = p.postfix(e)
	}
	for err == nil && filters {
		switch {
		case p.isOp("|"):
			e, err = p.filters(e)
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
