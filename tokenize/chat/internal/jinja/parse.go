package jinja

import "slices"

// body parses up to a tag with one of the names in ends, whose name it consumes and returns.
func (p *parser) body(ends ...string) ([]statement, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var out []statement
	for {
		t := p.next()
		switch t.kind {
		case tokenText:
			out = append(out, &textStatement{t.text})
		case tokenPrintBegin:
			e, err := p.tuple(true)
			if err != nil {
				return nil, "", err
			}
			if p.next().kind != tokenPrintEnd {
				p.at--
				return nil, "", p.fail("expected }}, found %q", p.peek().text)
			}
			out = append(out, &printStatement{e, t.line})
		case tokenBlockBegin:
			name, err := p.wantName()
			if err != nil {
				return nil, "", err
			}
			if slices.Contains(ends, name) {
				return out, name, nil
			}
			s, err := p.tag(name, t.line)
			if err != nil {
				return nil, "", err
			}
			out = append(out, s)
		case tokenEnd:
			if len(ends) > 0 {
				return nil, "", p.fail("template ends before %q", ends[len(ends)-1])
			}
			return out, "", nil
		default:
			return nil, "", p.fail("unexpected %q", t.text)
		}
	}
}

// until parses a body that only one tag ends, and the rest of that tag.
func (p *parser) until(end string) ([]statement, error) {
	b, _, err := p.body(end)
	if err == nil {
		err = p.wantBlockEnd()
	}
	return b, err
}

func (p *parser) tag(name string, line int) (statement, error) {
	switch name {
	case "for":
		return p.forTag(line)
	case "if":
		return p.ifTag()
	case "set":
		return p.setTag(line)
	case "macro":
		return p.macroTag()
	case "call":
		return p.callTag(line)
	case "filter":
		return p.filterTag(line)
	case "with":
		return p.withTag()
	case "generation":
		if err := p.wantBlockEnd(); err != nil {
			return nil, err
		}
		b, err := p.until("endgeneration")
		return &withStatement{body: b}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.fail("%s outside of a loop", name)
		}
		return &jumpStatement{name == "break"}, p.wantBlockEnd()
	}
	return nil, p.fail("tag %q is not supported", name)
}

func (p *parser) forTag(line int) (statement, error) {
	f := &forStatement{line: line}
	var err error
	if f.targets, err = p.targets(); err != nil {
		return nil, err
	}
	if !p.takeName("in") {
		return nil, p.fail("expected 'in', found %q", p.peek().text)
	}
	if f.over, err = p.tuple(false); err != nil {
		return nil, err
	}
	if p.takeName("if") {
		if f.filter, err = p.expression(); err != nil {
			return nil, err
		}
	}
	f.recursive = p.takeName("recursive")
	if err = p.wantBlockEnd(); err != nil {
		return nil, err
	}
	p.loops++
	var end string
	f.body, end, err = p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if err = p.wantBlockEnd(); err == nil && end == "else" {
		f.otherwise, err = p.until("endfor")
	}
	return f, err
}

// targets parses the names that a loop or a set binds.
func (p *parser) targets() ([]string, error) {
	bracket := p.takeOp("(")
	var names []string
	for {
		name, err := p.wantName()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if !p.takeOp(",") {
			break
		}
		if p.isName("in") || p.isOp("=") || p.isOp(")") {
			return nil, p.fail("a target with a comma at its end is not supported")
		}
	}
	if bracket {
		return names, p.wantOp(")")
	}
	return names, nil
}

func (p *parser) ifTag() (statement, error) {
	s := &ifStatement{}
	for {
		condition, err := p.tuple(false)
		if err != nil {
			return nil, err
		}
		if err := p.wantBlockEnd(); err != nil {
			return nil, err
		}
		b, end, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.conditions, s.bodies = append(s.conditions, condition), append(s.bodies, b)
		switch end {
		case "else":
			if err := p.wantBlockEnd(); err != nil {
				return nil, err
			}
			s.otherwise, err = p.until("endif")
			return s, err
		case "endif":
			return s, p.wantBlockEnd()
		}
	}
}

func (p *parser) setTag(line int) (statement, error) {
	s := &setStatement{line: line}
	var err error
	if p.peek().kind == tokenName && p.at+1 < len(p.tokens) && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "." {
		s.targets = []string{p.next().text}
		p.at++
		s.attribute, err = p.wantName()
	} else {
		s.targets, err = p.targets()
	}
	if err != nil {
		return nil, err
	}
	if p.takeOp("=") {
		if s.value, err = p.tuple(true); err != nil {
			return nil, err
		}
		return s, p.wantBlockEnd()
	}
	var filtered expression = &capturedText{}
	for p.isOp("|") {
		if filtered, err = p.filter(filtered); err != nil {
			return nil, err
		}
	}
	if err = p.wantBlockEnd(); err != nil {
		return nil, err
	}
	s.block, err = p.until("endset")
	s.value = filtered
	s.capture = true
	return s, err
}

func (p *parser) filterTag(line int) (statement, error) {
	p.at-- // the parser of filters wants a pipe; "filter" stands in its place
	p.tokens[p.at] = token{tokenOperator, "|", line}
	e, err := p.filter(&capturedText{})
	for err == nil && p.isOp("|") {
		e, err = p.filter(e)
	}
	if err != nil {
		return nil, err
	}
	if err := p.wantBlockEnd(); err != nil {
		return nil, err
	}
	b, err := p.until("endfilter")
	return &filterStatement{e, b, line}, err
}

func (p *parser) withTag() (statement, error) {
	w := &withStatement{}
	for p.peek().kind != tokenBlockEnd {
		if len(w.names) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		name, err := p.wantName()
		if err != nil {
			return nil, err
		}
		if err := p.wantOp("="); err != nil {
			return nil, err
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		w.names, w.values = append(w.names, name), append(w.values, e)
	}
	p.at++
	var err error
	w.body, err = p.until("endwith")
	return w, err
}

// parameters parses (a, b=1) of a macro or a call block.
func (p *parser) parameters(m *macroStatement) error {
	if err := p.wantOp("("); err != nil {
		return err
	}
	for !p.isOp(")") {
		if len(m.parameters) > 0 {
			if err := p.wantOp(","); err != nil {
				return err
			}
		}
		name, err := p.wantName()
		if err != nil {
			return err
		}
		m.parameters = append(m.parameters, name)
		var value expression
		if p.takeOp("=") {
			if value, err = p.expression(); err != nil {
				return err
			}
		} else if n := len(m.defaults); n > 0 && m.defaults[n-1] != nil {
			return p.fail("parameter %q without a default follows one with", name)
		}
		m.defaults = append(m.defaults, value)
	}
	p.at++
	return nil
}

func (p *parser) macroTag() (statement, error) {
	name, err := p.wantName()
	if err != nil {
		return nil, err
	}
	m := &macroStatement{name: name}
	if err := p.parameters(m); err != nil {
		return nil, err
	}
	if err := p.wantBlockEnd(); err != nil {
		return nil, err
	}
	loops, caller := p.loops, p.caller
	p.loops, p.caller = 0, false
	m.body, err = p.until("endmacro")
	m.usesCaller = p.caller
	p.loops, p.caller = loops, caller
	return m, err
}

func (p *parser) callTag(line int) (statement, error) {
	m := &macroStatement{name: "caller"}
	if p.isOp("(") {
		if err := p.parameters(m); err != nil {
			return nil, err
		}
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, ok := e.(*callExpression)
	if !ok {
		return nil, p.fail("call block without a call")
	}
	if err := p.wantBlockEnd(); err != nil {
		return nil, err
	}
	m.body, err = p.until("endcall")
	return &callStatement{c, m, line}, err
}
