package syntax

import (
	"math/big"
	"strconv"
	"strings"
)

var constants = map[string]any{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

func (p *parser) primary() (Expr, error) {
	t := p.next()
	switch t.kind {
	case tokenName:
		if v, ok := constants[t.text]; ok {
			return &Const{v}, nil
		}
		return &Name{ID: t.text, Line: t.line}, nil
	case tokenString:
		s := t.text
		for p.peek().kind == tokenString {
			s += p.next().text
		}
		return &Const{s}, nil
	case tokenInteger:
		return p.integer(t)
	case tokenFloat:
		f, _ := strconv.ParseFloat(t.text, 64) // beyond the range is infinity
		return &Const{f}, nil
	case tokenOperator:
		switch t.text {
		case "(":
			e, err := p.tuple(true, true)
			if err == nil {
				err = p.wantOp(")")
			}
			return e, err
		case "[":
			items, err := p.items()
			return &List{items}, err
		case "{":
			return p.dict(t.line)
		}
	}
	p.at--
	if t.kind == tokenEnd {
		p.at++
	}
	return nil, &Error{t.line, syntaxError, "unexpected " + strconv.Quote(p.found())}
}

func (p *parser) integer(t token) (Expr, error) {
	if n, err := strconv.ParseInt(t.text, 0, 64); err == nil {
		return &Const{n}, nil
	}
	i, ok := new(big.Int).SetString(strings.ToLower(t.text), 0)
	if ok && i.IsInt64() {
		return &Const{i.Int64()}, nil
	}
	if !ok || len(t.text) > 4300 {
		return nil, &Error{t.line, "ValueError", "integer too large"}
	}
	return &Const{i}, nil
}

func (p *parser) items() ([]Expr, error) {
	var items []Expr
	for !p.takeOp("]") {
		if len(items) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.takeOp("]") {
				break
			}
		}
		e, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, nil
}

func (p *parser) dict(line int) (Expr, error) {
	d := &Dict{Line: line}
	for !p.takeOp("}") {
		if len(d.Keys) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.takeOp("}") {
				break
			}
		}
		k, err := p.expression(true)
		if err == nil {
			err = p.wantOp(":")
		}
		if err != nil {
			return nil, err
		}
		v, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		d.Keys, d.Values = append(d.Keys, k), append(d.Values, v)
	}
	return d, nil
}
