package jinja

import "fmt"

// Error says where a template is wrong, or what went wrong when it ran.
type Error struct {
	Line    int
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("template line %d: %s", e.Line, e.Message)
}

const maxDepth = 200 // of nested tags, expressions and calls

type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int
	caller bool // the macro being parsed asks for its caller
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{Line: p.peek().line, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) isOp(op string) bool {
	t := p.peek()
	return t.kind == tokenOperator && t.text == op
}

func (p *parser) isName(name string) bool {
	t := p.peek()
	return t.kind == tokenName && t.text == name
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
		return p.fail("expected %q, found %q", op, p.peek().text)
	}
	return nil
}

func (p *parser) wantName() (string, error) {
	t := p.peek()
	if t.kind != tokenName {
		return "", p.fail("expected a name, found %q", t.text)
	}
	p.at++
	return t.text, nil
}

func (p *parser) wantBlockEnd() error {
	if p.peek().kind != tokenBlockEnd {
		return p.fail("expected the end of the tag, found %q", p.peek().text)
	}
	p.at++
	return nil
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail("nested deeper than %d", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }
