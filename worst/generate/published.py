#!/usr/bin/env python3
"""Asks PEPit, another program for performance estimation, for worst cases whose closed forms are published, and for some of ours.

    /tmp/pep/bin/pip install pepit clarabel && /tmp/pep/bin/python worst/generate/published.py worst/testdata/published.json

The test worst.TestAgainstPEPit compares the numbers with the closed forms and with this package's certificates. The published problems are PEPit's examples.
"""
import json, math, sys
from PEPit import PEP
from PEPit.functions import ConvexFunction, ConvexIndicatorFunction, SmoothStronglyConvexFunction, StronglyConvexFunction
from PEPit.primitive_steps import proximal_step
from PEPit.examples.unconstrained_convex_minimization import (wc_gradient_descent, wc_subgradient_method, wc_heavy_ball_momentum, wc_proximal_point,
                                                             wc_optimized_gradient, wc_gradient_exact_line_search, wc_conjugate_gradient)
from PEPit.examples.stochastic_and_randomized_convex_minimization import wc_sgd, wc_sgd_overparametrized
from PEPit.examples.composite_convex_minimization import wc_proximal_gradient
from PEPit.examples.online_learning import wc_online_gradient_descent
from PEPit.examples.fixed_point_problems import wc_halpern_iteration, wc_krasnoselskii_mann_constant_step_sizes

PUBLISHED = [
    ("gradient descent", wc_gradient_descent, dict(L=3, gamma=1 / 3, n=4)),
    ("subgradient method", wc_subgradient_method, dict(M=2, n=6, gamma=1 / (2 * math.sqrt(7)))),
    ("heavy ball", wc_heavy_ball_momentum, dict(mu=0.1, L=1.0, alpha=0.5, beta=math.sqrt((1 - 0.05) * 0.5), n=2)),
    ("proximal point", wc_proximal_point, dict(gamma=3, n=4)),
    ("optimized gradient", wc_optimized_gradient, dict(L=3, n=4)),
    ("exact line search", wc_gradient_exact_line_search, dict(L=1, mu=0.1, n=2)),
    ("conjugate gradient", wc_conjugate_gradient, dict(L=1, n=2)),
    ("stochastic gradient", wc_sgd, dict(L=1, mu=0.1, gamma=0.7, v=1, R=2, n=5)),
    ("stochastic gradient, overparametrised", wc_sgd_overparametrized, dict(L=1, mu=0.1, gamma=1.0, n=5)),
    ("proximal gradient", wc_proximal_gradient, dict(L=1, mu=0.1, gamma=1, n=2)),
    ("online gradient descent", wc_online_gradient_descent, dict(M=1, D=0.5, n=2)),
    ("Halpern iteration", wc_halpern_iteration, dict(n=10)),
    ("Krasnoselskii-Mann", wc_krasnoselskii_mann_constant_step_sizes, dict(n=3, gamma=0.75)),
]


def ours(theorem, T, k2=None, l=None):
    """The problem of worst/inequalities.go in PEPit's words: F plus the indicator of W, projected steps, |g_t| <= 1."""
    p = PEP()
    if theorem == 1:
        F = p.declare_function(StronglyConvexFunction, mu=1.0)
    elif theorem == 2:
        F = p.declare_function(ConvexFunction)
    else:
        F = p.declare_function(SmoothStronglyConvexFunction, mu=1.0 if theorem == 4 else 0.0, L=l)
    W = p.declare_function(ConvexIndicatorFunction, D=1.0 if k2 else math.inf)
    star = (F + W).stationary_point()
    values = F(star)
    w = p.set_initial_point()
    W.oracle(w)
    total = 0 * w
    for t in range(1, T + 1):
        total = total + w
        g = F.gradient(w)
        p.add_constraint(g**2 <= 1)
        if t < T:
            alpha = 1 / (t + 1) if k2 is None else math.sqrt(k2 / t)
            w = proximal_step(w - alpha * g, W, 1)[0]
    p.set_performance_metric(F(total / T) - values)
    return p.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0)


if __name__ == "__main__":
    out = []
    for name, f, constants in PUBLISHED:
        value, _ = f(**constants, wrapper="cvxpy", solver="CLARABEL", verbose=0)
        out.append({"name": name, "constants": constants, "pepit": float(f"{value:.8g}")})
        print(out[-1], flush=True)
    for theorem, T, k2, l in ((1, 2, None, None), (2, 2, 1.0, None), (2, 3, 1.0, None), (2, 4, 2.0, None), (3, 3, 1.0, 16.0), (3, 4, 2.25, 16.0), (4, 3, None, 10.0), (4, 4, None, 10.0)):
        value = ours(theorem, T, k2, l)
        out.append({"name": "ours", "constants": {"theorem": theorem, "T": T, "k2": k2 or 0, "l": l or 0}, "pepit": float(f"{value:.8g}")})
        print(out[-1], flush=True)
    with open(sys.argv[1], "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")
