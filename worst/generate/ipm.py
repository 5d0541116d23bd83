"""A primal-dual interior-point method for the programs of pep.py.

    maximise <C, X> + c.f   subject to   <A_i, X> + a_i.f + s_i = b_i,   X positive semidefinite,   s >= 0,   f free;
    minimise b.lambda       subject to   sum lambda_i a_i = c,   S = sum lambda_i A_i - C positive semidefinite,   lambda >= 0.

Every A_i is a sum of few products, A_i = sum_k (P_ki Q_ki' + Q_ki P_ki')/2, so the matrix of the Newton step, <A_i, X A_j S^-1>, is a sum of entrywise products of matrices: a general solver needs
minutes where this takes seconds. The direction is that of Helmberg, Rendl, Vanderbei and Wolkowicz (1996), with Mehrotra's predictor and corrector.
"""
import math

import numpy as np
import scipy.linalg as linalg


def factor(A):
    """A symmetric matrix as pairs (x, y) with A = sum (x y' + y x')/2."""
    w, V = np.linalg.eigh(A)
    keep = abs(w) > 1e-12 * abs(w).max()
    up = [(x, V[:, i]) for i, x in enumerate(w) if keep[i] and x > 0]
    down = [(-x, V[:, i]) for i, x in enumerate(w) if keep[i] and x < 0]
    pairs = []
    while up and down:
        (l, u), (m, v) = up.pop(), down.pop()
        pairs.append((math.sqrt(l) * u + math.sqrt(m) * v, math.sqrt(l) * u - math.sqrt(m) * v))
    return pairs + [(l * u, u) for l, u in up] + [(-m * v, v) for m, v in down]


class Solution:
    """lambda, X and f at the end, and the last iterates, whose true slacks b - <A, X> - a.f are known."""

    def __init__(self, lam, X, f, status, slack, iterates):
        self.lam, self.X, self.f, self.status, self.slack, self.iterates = lam, X, f, status, slack, iterates

    def feasible(self, least):
        """The best combination of an early and a late iterate all of whose slacks are at least least: (value, X, f), or None."""
        best = None
        slacks = [self.slack(X, f) for _, X, f in self.iterates]
        for i, (v, X, f) in enumerate(self.iterates):
            if slacks[i].min() < least:
                continue
            for j in range(i, len(self.iterates)):
                w, Y, g = self.iterates[j]
                bad = slacks[j] < least
                theta = ((least - slacks[j][bad]) / (slacks[i][bad] - slacks[j][bad])).max() if bad.any() else 0.0
                value = theta * v + (1 - theta) * w
                if 0 <= theta <= 1 and (best is None or value > best[0]):
                    best = (value, theta * X + (1 - theta) * Y, theta * f + (1 - theta) * g)
        return best


def longest(M, D):
    """The longest step in [0, 1] along D that keeps the positive definite M positive semidefinite."""
    L = np.linalg.cholesky(M)
    W = linalg.solve_triangular(L, D, lower=True)
    W = linalg.solve_triangular(L, W.T, lower=True)
    e = np.linalg.eigvalsh((W + W.T) / 2)[0]
    return 1.0 if e >= -1 else -1 / e


def longest_positive(v, d):
    return min(1.0, min((-v[d < 0] / d[d < 0]), default=1.0))


def symmetric(M):
    return (M + M.T) / 2


def solve(pairs, a, b, C, c, tol=1e-10, most=80):
    """pairs[i] is factor(A_i)."""
    m, n, p = len(pairs), C.shape[0], len(c)
    K = max(len(x) for x in pairs)
    P, Q = np.zeros((K, m, n)), np.zeros((K, m, n))
    for i, pair in enumerate(pairs):
        for k, (x, y) in enumerate(pair):
            P[k, i], Q[k, i] = x, y
    combine = lambda lam: symmetric(sum((P[k] * lam[:, None]).T @ Q[k] for k in range(K)))
    products = lambda X: sum(np.einsum("ij,ij->i", P[k] @ X, Q[k]) for k in range(K))
    slack = lambda X, f: b - products(X) - a @ f
    X, S, lam, s, f, iterates = np.eye(n), np.eye(n), np.full(m, 0.1), np.ones(m), np.zeros(p), []
    for step in range(most):
        true = slack(X, f)
        if step and (true > 0.3 * s).all() and (true < 3 * s).all():
            s = true.copy()  # the primal program is then satisfied to the last digit
        iterates = iterates[-39:] + [(np.sum(C * X) + c @ f, X.copy(), f.copy())]
        miss, missS, missf = true - s, combine(lam) - C - S, c - a.T @ lam
        mu = (np.sum(X * S) + s @ lam) / (n + m)
        error = max(abs(miss).max(), abs(missS).max(), abs(missf).max())
        if error < tol and mu * (n + m) < tol:
            break
        try:
            inverse = symmetric(linalg.cho_solve((np.linalg.cholesky(S), True), np.eye(n)))
            newton = Newton(P, Q, X, inverse, s / lam, a)
        except np.linalg.LinAlgError:
            break

        def direction(target, second=None, seconds=0.0):
            T = target * inverse - X - symmetric(X @ missS @ inverse)
            if second is not None:
                T -= symmetric(second @ inverse)
            t = (target - seconds) / lam - s
            dlam, df = newton.solve(products(T) + t - miss, missf)
            change = combine(dlam)
            return T - symmetric(X @ change @ inverse), t - s / lam * dlam, df, dlam, change + missS

        def lengths(dX, ds, dlam, dS):
            return min(longest(X, dX), longest_positive(s, ds)), min(longest(S, dS), longest_positive(lam, dlam))

        try:
            dX, ds, df, dlam, dS = direction(0.0)
            up, down = lengths(dX, ds, dlam, dS)
            ahead = (np.sum((X + up * dX) * (S + down * dS)) + (s + up * ds) @ (lam + down * dlam)) / (n + m)
            centre = min(1, max((ahead / mu) ** 2 if min(up, down) > 0.1 else 0.5, 1e-4))
            dX, ds, df, dlam, dS = direction(centre * mu, dX @ dS, ds * dlam)
            up, down = lengths(dX, ds, dlam, dS)
        except np.linalg.LinAlgError:
            break
        share = 0.9 + 0.09 * min(up, down)
        if max(up, down) * share < 1e-4:
            break
        X, s, f = symmetric(X + share * up * dX), s + share * up * ds, f + share * up * df
        lam, S = lam + share * down * dlam, symmetric(S + share * down * dS)
    return Solution(lam, X, f, f"{step} steps, mu {mu:.1e}, error {error:.1e}", slack, iterates)


class Newton:
    """The system M dlam - a df = r, a' dlam = q, scaled, with iterative refinement."""

    def __init__(self, P, Q, X, inverse, diagonal, a):
        K, m, _ = P.shape
        M = np.zeros((m, m))
        for k in range(K):
            PX, QX, PS, QS = P[k] @ X, Q[k] @ X, P[k] @ inverse, Q[k] @ inverse
            for l in range(K):
                x, y = P[l].T, Q[l].T
                M += ((PX @ x) * (QS @ y) + (PX @ y) * (QS @ x) + (QX @ x) * (PS @ y) + (QX @ y) * (PS @ x)) / 4
        self.M, self.a = symmetric(M), a
        self.M[np.diag_indices(m)] += diagonal
        rows = 1 / np.sqrt(np.diag(self.M))
        scaled = a * rows[:, None]
        columns = 1 / np.maximum(np.sqrt((scaled**2).sum(0)), 1e-300)
        whole = np.block([[self.M * rows[:, None] * rows[None, :], scaled * columns], [(scaled * columns).T, np.zeros((a.shape[1],) * 2)]])
        self.scale, self.lu, self.m = np.concatenate([rows, columns]), linalg.lu_factor(whole, check_finite=False), m

    def solve(self, r, q):
        x = np.zeros(len(self.scale))
        for _ in range(4):
            rest = np.concatenate([r - self.M @ x[: self.m] - self.a @ x[self.m :], q - self.a.T @ x[: self.m]])
            x = x + self.scale * linalg.lu_solve(self.lu, self.scale * rest, check_finite=False)
        return x[: self.m], -x[self.m :]
