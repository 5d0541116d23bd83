package toy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"gonum.org/v1/gonum/num/dual"
)

// Expression is a function of one weight w that the user wrote, such as "w*w + 2*cos(5*w)", with its exact derivative (by
// dual numbers). Besides + - * / and ^ (or **) it knows the constants pi and e, the functions of [ExpressionFunctions], and
// "CONDITION ? A : B" with the comparisons < <= > >= == != and "and", "or", "not", so that pieces can be put together: the
// derivative at a border is that of the piece that the condition chooses.
type Expression struct {
	Text string
	root ast.Node
}

var dualFunctions = map[string]func(dual.Number) dual.Number{
	"abs": dual.Abs, "sqrt": dual.Sqrt, "exp": dual.Exp, "log": dual.Log,
	"sin": dual.Sin, "cos": dual.Cos, "tan": dual.Tan, "asin": dual.Asin, "acos": dual.Acos, "atan": dual.Atan,
	"sinh": dual.Sinh, "cosh": dual.Cosh, "tanh": dual.Tanh,
}

// ExpressionFunctions are the names of the functions that an expression may call; min and max take two or more values.
func ExpressionFunctions() []string {
	names := []string{"min", "max"}
	for name := range dualFunctions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ParseExpression reads an expression in w. The error names what is not understood.
func ParseExpression(text string) (Expression, error) {
	const longest = 10_000
	if len(text) > longest {
		return Expression{}, fmt.Errorf("toy: objective: %d characters; want at most %d", len(text), longest)
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return Expression{}, fmt.Errorf("toy: objective %q: %w", text, err)
	}
	x := Expression{Text: text, root: tree.Node}
	if _, err := x.number(x.root, dual.Number{Real: 1, Emag: 1}); err != nil {
		return Expression{}, fmt.Errorf("toy: objective %q: %w", text, err)
	}
	return x, nil
}

// at returns the value and the derivative at w. It is an error if either is not finite.
func (x Expression) at(w float64) (value, slope float64, err error) {
	y, err := x.number(x.root, dual.Number{Real: w, Emag: 1})
	if err == nil && (math.IsNaN(y.Real) || math.IsInf(y.Real, 0) || math.IsNaN(y.Emag) || math.IsInf(y.Emag, 0)) {
		err = fmt.Errorf("at w = %g the value is %g and the derivative %g; want finite numbers", w, y.Real, y.Emag)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("toy: objective %q: %w", x.Text, err)
	}
	return y.Real, y.Emag, nil
}

// number evaluates a node that is a number. All branches of the tree are visited while it is parsed, since a condition's
// other side must be understood too.
func (x Expression) number(n ast.Node, w dual.Number) (dual.Number, error) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return dual.Number{Real: float64(n.Value)}, nil
	case *ast.FloatNode:
		return dual.Number{Real: n.Value}, nil
	case *ast.IdentifierNode:
		switch n.Value {
		case "w":
			return w, nil
		case "pi":
			return dual.Number{Real: math.Pi}, nil
		case "e":
			return dual.Number{Real: math.E}, nil
		}
		return dual.Number{}, fmt.Errorf("unknown name %q; want w, pi or e", n.Value)
	case *ast.UnaryNode:
		y, err := x.number(n.Node, w)
		switch n.Operator {
		case "-":
			return dual.Scale(-1, y), err
		case "+":
			return y, err
		}
		return dual.Number{}, fmt.Errorf("operator %q does not give a number", n.Operator)
	case *ast.BinaryNode:
		return x.binary(n, w)
	case *ast.ConditionalNode:
		yes, err := x.truth(n.Cond, w)
		if err != nil {
			return dual.Number{}, err
		}
		a, errA := x.number(n.Exp1, w)
		b, errB := x.number(n.Exp2, w)
		if errA != nil {
			return dual.Number{}, errA
		}
		if yes {
			return a, errB
		}
		return b, errB
	case *ast.CallNode:
		if name, ok := n.Callee.(*ast.IdentifierNode); ok {
			return x.call(name.Value, n.Arguments, w)
		}
	case *ast.BuiltinNode:
		return x.call(n.Name, n.Arguments, w)
	}
	return dual.Number{}, fmt.Errorf("%q is not a number", n.String())
}

func (x Expression) binary(n *ast.BinaryNode, w dual.Number) (dual.Number, error) {
	a, err := x.number(n.Left, w)
	if err != nil {
		return dual.Number{}, err
	}
	b, err := x.number(n.Right, w)
	if err != nil {
		return dual.Number{}, err
	}
	switch n.Operator {
	case "+":
		return dual.Add(a, b), nil
	case "-":
		return dual.Sub(a, b), nil
	case "*":
		return dual.Mul(a, b), nil
	case "/":
		return dual.Mul(a, dual.Inv(b)), nil
	case "^", "**":
		if b.Emag == 0 { // a constant exponent is right for a base of either sign
			return power(a, b.Real), nil
		}
		return dual.Pow(a, b), nil
	}
	return dual.Number{}, fmt.Errorf("operator %q does not give a number", n.Operator)
}

// power is a^p for a constant p, with the derivative p a^(p-1) a'.
func power(a dual.Number, p float64) dual.Number {
	if p == 0 {
		return dual.Number{Real: 1}
	}
	return dual.Number{Real: math.Pow(a.Real, p), Emag: p * math.Pow(a.Real, p-1) * a.Emag}
}

func (x Expression) call(name string, arguments []ast.Node, w dual.Number) (dual.Number, error) {
	var values []dual.Number
	for _, a := range arguments {
		v, err := x.number(a, w)
		if err != nil {
			return dual.Number{}, err
		}
		values = append(values, v)
	}
	switch f := dualFunctions[name]; {
	case f != nil && len(values) == 1:
		return f(values[0]), nil
	case f != nil:
		return dual.Number{}, fmt.Errorf("%s takes one value, not %d", name, len(values))
	case (name == "min" || name == "max") && len(values) >= 2:
		best := values[0]
		for _, v := range values[1:] {
			if name == "min" && v.Real < best.Real || name == "max" && v.Real > best.Real {
				best = v
			}
		}
		return best, nil
	}
	return dual.Number{}, fmt.Errorf("unknown function %s with %d values; the functions are %s", name, len(values), strings.Join(ExpressionFunctions(), ", "))
}

// truth evaluates a condition.
func (x Expression) truth(n ast.Node, w dual.Number) (bool, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			y, err := x.truth(n.Node, w)
			return !y, err
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			a, err := x.truth(n.Left, w)
			if err != nil {
				return false, err
			}
			b, err := x.truth(n.Right, w)
			if strings.HasPrefix(n.Operator, "a") || n.Operator == "&&" {
				return a && b, err
			}
			return a || b, err
		case "<", "<=", ">", ">=", "==", "!=":
			a, err := x.number(n.Left, w)
			if err != nil {
				return false, err
			}
			b, err := x.number(n.Right, w)
			return map[string]bool{"<": a.Real < b.Real, "<=": a.Real <= b.Real, ">": a.Real > b.Real, ">=": a.Real >= b.Real,
				"==": a.Real == b.Real, "!=": a.Real != b.Real}[n.Operator], err
		}
	}
	return false, fmt.Errorf("%q is not a condition", n.String())
}
