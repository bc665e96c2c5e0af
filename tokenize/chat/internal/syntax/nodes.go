// Package syntax reads templates into trees as Jinja's lexer and parser do under transformers: trim_blocks,
// lstrip_blocks, loop controls and the generation tag.
package syntax

import "fmt"

// Error says where a template is wrong; Class is jinja2's name for it.
type Error struct {
	Line           int
	Class, Message string
}

func (e *Error) Error() string { return fmt.Sprintf("template line %d: %s", e.Line, e.Message) }

// Node is a statement or an expression.
type Node interface{ Children() []Node }

// Expr is an expression.
type Expr = Node

// Expressions.
type (
	Const struct{ Value any } // nil, bool, int64, *big.Int, float64 or string
	Data  struct{ Text string }
	Name  struct {
		ID    string
		Line  int
		Store bool // a target, not a value
		Param bool
	}
	NSRef struct {
		ID, Attr string
		Line     int
	}
	Tuple struct{ Items []Expr }
	List  struct{ Items []Expr }
	Dict  struct {
		Keys, Values []Expr
		Line         int
	}
	Cond struct {
		Test, Then, Else Expr // Else may be nil
		Line             int
	}
	Logic struct {
		Left, Right Expr
		Or          bool
	}
	Not    struct{ Of Expr }
	Binary struct {
		Op          string
		Left, Right Expr
		Line        int
	}
	Unary struct {
		Op   string
		Of   Expr
		Line int
	}
	Concat struct {
		Parts []Expr
		Line  int
	}
	Compare struct {
		First    Expr
		Ops      []string
		Operands []Expr
		Line     int
	}
	Getattr struct {
		Of   Expr
		Attr string
		Line int
	}
	Getitem struct {
		Of, Arg Expr
		Line    int
	}
	Slice struct{ Parts [3]Expr } // nil: left out
	Args  struct {
		Pos      []Expr
		Names    []string
		Named    []Expr
		Star     Expr // *args, or nil
		StarStar Expr // **kwargs, or nil
	}
	Call struct {
		Of Expr
		Args
		Line int
	}
	Filter struct {
		Of   Expr // nil: what the block around it holds
		Name string
		Args
		Line int
	}
	Test struct {
		Of   Expr
		Name string
		Args
		Line int
	}
)

// Statements.
type (
	Output struct {
		Nodes []Expr
		Line  int
	}
	For struct {
		Target, Iter, Test Expr // Test may be nil
		Body, Else         []Node
		Recursive          bool
		Line               int
	}
	If struct {
		Tests  []Expr
		Bodies [][]Node
		Else   []Node
		Line   int
	}
	Macro struct { // also what a call block calls back
		Name     string
		Params   []*Name
		Defaults []Expr // of the last parameters
		Body     []Node
		Line     int
	}
	CallBlock struct {
		Call  *Call // nil: the generation tag, which prints its body
		Macro *Macro
		Line  int
	}
	FilterBlock struct {
		Body   []Node
		Filter *Filter
		Line   int
	}
	Set struct {
		Target, Value Expr
		Line          int
	}
	SetBlock struct {
		Target Expr
		Filter *Filter // may be nil
		Body   []Node
		Line   int
	}
	With struct {
		Targets, Values []Expr
		Body            []Node
	}
	Block struct {
		Name             string
		Body             []Node
		Scoped, Required bool
		Line             int
	}
	Load struct { // extends, include, import, from: there is never anything to load
		Tag           string
		Template      Expr
		Names         []string // that an import binds
		IgnoreMissing bool
		Line          int
	}
	Autoescape struct {
		On   Expr
		Body []Node
		Line int
	}
	Jump struct {
		Break bool
		Line  int
	}
)

func some(nodes ...Node) []Node {
	var out []Node
	for _, n := range nodes {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}

func join(lists ...[]Node) []Node {
	var out []Node
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Children are the nodes within, in jinja2's order.
func (*Const) Children() []Node     { return nil }
func (*Data) Children() []Node      { return nil }
func (*Name) Children() []Node      { return nil }
func (*NSRef) Children() []Node     { return nil }
func (n *Tuple) Children() []Node   { return n.Items }
func (n *List) Children() []Node    { return n.Items }
func (n *Cond) Children() []Node    { return some(n.Test, n.Then, n.Else) }
func (n *Logic) Children() []Node   { return some(n.Left, n.Right) }
func (n *Not) Children() []Node     { return some(n.Of) }
func (n *Binary) Children() []Node  { return some(n.Left, n.Right) }
func (n *Unary) Children() []Node   { return some(n.Of) }
func (n *Concat) Children() []Node  { return n.Parts }
func (n *Compare) Children() []Node { return join(some(n.First), n.Operands) }
func (n *Getattr) Children() []Node { return some(n.Of) }
func (n *Getitem) Children() []Node { return some(n.Of, n.Arg) }
func (n *Slice) Children() []Node   { return some(n.Parts[:]...) }
func (a *Args) Children() []Node    { return join(a.Pos, a.Named, some(a.Star, a.StarStar)) }
func (n *Call) Children() []Node    { return join(some(n.Of), n.Args.Children()) }
func (n *Filter) Children() []Node  { return join(some(n.Of), n.Args.Children()) }
func (n *Test) Children() []Node    { return join(some(n.Of), n.Args.Children()) }
func (n *Output) Children() []Node  { return n.Nodes }
func (n *Set) Children() []Node     { return some(n.Target, n.Value) }
func (n *With) Children() []Node    { return join(n.Targets, n.Values, n.Body) }
func (n *Block) Children() []Node   { return n.Body }
func (n *Load) Children() []Node    { return some(n.Template) }
func (*Jump) Children() []Node      { return nil }

func (n *Autoescape) Children() []Node { return join(some(n.On), n.Body) }
func (n *For) Children() []Node {
	return join(some(n.Target, n.Iter), n.Body, n.Else, some(n.Test))
}

func (n *Dict) Children() []Node {
	var out []Node
	for i := range n.Keys {
		out = append(out, n.Keys[i], n.Values[i])
	}
	return out
}

func (n *If) Children() []Node {
	var out []Node
	for i := range n.Tests {
		out = append(append(out, n.Tests[i]), n.Bodies[i]...)
	}
	return append(out, n.Else...)
}

func (n *Macro) Children() []Node {
	var out []Node
	for _, p := range n.Params {
		out = append(out, p)
	}
	return join(out, n.Defaults, n.Body)
}

func (n *CallBlock) Children() []Node {
	if n.Call == nil {
		return n.Macro.Children()
	}
	return append([]Node{n.Call}, n.Macro.Children()...)
}

func (n *FilterBlock) Children() []Node { return append(join(n.Body), n.Filter) }

func (n *SetBlock) Children() []Node {
	if n.Filter == nil {
		return join(some(n.Target), n.Body)
	}
	return join(some(n.Target, n.Filter), n.Body)
}
