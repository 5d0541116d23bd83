package markov

import "slices"

// Class is a communicating class.
type Class struct {
	States []int // increasing
	Closed bool  // no move leaves it: its states are recurrent
	Period int   // greatest common divisor of the cycle lengths; 0 for a class without any cycle
}

// Classes returns the communicating classes in the order of their smallest
// state: the strongly connected components of the graph of positive rates
// (R. Tarjan, SIAM J. Comput. 1 (1972) 146-160, without recursion), and their
// periods from the levels of a breadth-first search
// (E. Denardo, Management Sci. 24 (1977) 1000-1001).
func (c *Chain) Classes() []Class {
	n := c.n
	comp := c.components()
	count := 0
	for _, k := range comp {
		count = max(count, int(k)+1)
	}
	classes := make([]Class, count)
	for k := range classes {
		classes[k].Closed = true
	}
	for x := range n {
		k := comp[x]
		classes[k].States = append(classes[k].States, x)
		cols, _ := c.row(x)
		for _, y := range cols {
			if comp[y] != k {
				classes[k].Closed = false
			}
		}
	}
	level := make([]int, n)
	for i := range level {
		level[i] = -1
	}
	for k := range classes {
		classes[k].Period = c.period(classes[k].States, comp, level)
	}
	slices.SortFunc(classes, func(a, b Class) int { return a.States[0] - b.States[0] })
	return classes
}

func (c *Chain) period(states []int, comp []int32, level []int) int {
	g := 0
	queue := []int{states[0]}
	level[states[0]] = 0
	for len(queue) > 0 {
		x := queue[0]
		queue = queue[1:]
		if c.holding(x) > 0 {
			g = 1
		}
		cols, _ := c.row(x)
		for _, y := range cols {
			if comp[y] != comp[x] {
				continue
			}
			if level[y] < 0 {
				level[y] = level[x] + 1
				queue = append(queue, int(y))
			} else {
				g = gcd(g, abs(level[x]+1-level[y]))
			}
		}
	}
	return g
}

func abs(a int) int {
	if a < 0 {
		return -a
	}
	return a
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// components numbers the strongly connected components.
func (c *Chain) components() []int32 {
	n := c.n
	index := make([]int32, n) // 0: not seen
	low := make([]int32, n)
	comp := make([]int32, n)
	pos := make([]int, n) // next edge of each state on the call stack
	for i := range comp {
		comp[i] = -1
	}
	var stack, call []int32
	next, count := int32(1), int32(0)
	for s := range n {
		if index[s] != 0 {
			continue
		}
		call = append(call[:0], int32(s))
		for len(call) > 0 {
			x := call[len(call)-1]
			if index[x] == 0 {
				index[x], low[x] = next, next
				next++
				stack = append(stack, x)
				pos[x] = c.ptr[x]
			}
			descended := false
			for pos[x] < c.ptr[x+1] {
				y := c.col[pos[x]]
				if index[y] == 0 {
					call = append(call, y)
					descended = true
					break
				}
				if comp[y] < 0 {
					low[x] = min(low[x], low[y])
				}
				pos[x]++
			}
			if descended {
				continue
			}
			if low[x] == index[x] {
				for {
					y := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					comp[y] = count
					if y == x {
						break
					}
				}
				count++
			}
			call = call[:len(call)-1]
		}
	}
	return comp
}

// Irreducible reports whether all states communicate.
func (c *Chain) Irreducible() bool {
	for _, k := range c.components() {
		if k != 0 {
			return false
		}
	}
	return true
}

// Aperiodic reports whether every closed class has period one.
func (c *Chain) Aperiodic() bool {
	for _, class := range c.Classes() {
		if class.Closed && class.Period != 1 {
			return false
		}
	}
	return true
}

// closed returns the only closed class, or ErrReducible.
func (c *Chain) closed() (Class, error) {
	var found []Class
	for _, class := range c.Classes() {
		if class.Closed {
			found = append(found, class)
		}
	}
	if len(found) != 1 {
		return Class{}, ErrReducible
	}
	return found[0], nil
}
