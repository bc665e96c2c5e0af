package syntax

import (
	"fmt"
	"slices"
)

const maxDepth = 200 // of nested tags and expressions

type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int // around the current place, within its function
}

// Parse reads a template.
func Parse(source string) ([]Node, error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, _, err := p.body()
	return body, err
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) look() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{p.peek().line, syntaxError, fmt.Sprintf(format, args...)}
}

// found describes the current token.
func (p *parser) found() string {
	switch t := p.peek(); t.kind {
	case tokenEnd:
		return "the end of the template"
	case tokenBlockEnd:
		return "%}"
	case tokenPrintEnd:
		return "}}"
	default:
		return t.text
	}
}

func (p *parser) isOp(op string) bool {
	t := p.peek()
	return t.kind == tokenOperator && t.text == op
}

func (p *parser) isName(names ...string) bool {
	t := p.peek()
	return t.kind == tokenName && slices.Contains(names, t.text)
}

func (p *parser) takeOp(op string) bool {
	if p.isOp(op) {
		p.at++
		return true
	}
	return false
}

func (p *parser) takeName(name string) bool {
	if p.isName(name) {
		p.at++
		return true
	}
	return false
}

func (p *parser) wantOp(op string) error {
	if !p.takeOp(op) {
		return p.fail("expected %q, found %q", op, p.found())
	}
	return nil
}

func (p *parser) wantName() (string, error) {
	t := p.peek()
	if t.kind != tokenName {
		return "", p.fail("expected a name, found %q", p.found())
	}
	p.at++
	return t.text, nil
}

func (p *parser) wantBlockEnd() error {
	if p.peek().kind != tokenBlockEnd {
		return p.fail("expected the end of the tag, found %q", p.found())
	}
	p.at++
	return nil
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return &Error{p.peek().line, "LimitError", fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// body parses up to a tag with one of the names in ends, whose name it consumes and returns; the tag's end stays.
func (p *parser) body(ends ...string) ([]Node, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var nodes []Node
	var out *Output // what is being gathered
	gather := func(e Expr, line int) {
		if out == nil {
			out = &Output{Line: line}
			nodes = append(nodes, out)
		}
		out.Nodes = append(out.Nodes, e)
	}
	for {
		t := p.next()
		switch t.kind {
		case tokenText:
			gather(&Data{t.text}, t.line)
		case tokenPrintBegin:
			e, err := p.tuple(true, false)
			if err != nil {
				return nil, "", err
			}
			if p.peek().kind != tokenPrintEnd {
				return nil, "", p.fail("expected the end of the print statement, found %q", p.found())
			}
			p.at++
			gather(e, t.line)
		case tokenBlockBegin:
			out = nil
			if p.isName(ends...) {
				return nodes, p.next().text, nil
			}
			n, err := p.statement()
			if err != nil {
				return nil, "", err
			}
			nodes = append(nodes, n)
			if err := p.wantBlockEnd(); err != nil {
				return nil, "", err
			}
		default:
			if len(ends) > 0 {
				return nil, "", p.fail("the template ends where one of %v is wanted", ends)
			}
			return nodes, "", nil
		}
	}
}

// block parses the rest of a tag and what follows up to one of the ends.
func (p *parser) block(ends ...string) ([]Node, string, error) {
	p.takeOp(":")
	if err := p.wantBlockEnd(); err != nil {
		return nil, "", err
	}
	return p.body(ends...)
}

func (p *parser) until(end string) ([]Node, error) {
	nodes, _, err := p.block(end)
	return nodes, err
}

// apart parses a body that is a function of its own: no loop around it can be left from within.
func (p *parser) apart(end string) ([]Node, error) {
	loops := p.loops
	p.loops = 0
	nodes, err := p.until(end)
	p.loops = loops
	return nodes, err
}
