#!/usr/bin/env python3
"""Solves the performance-estimation problems whose certificates package worst checks.

    python3 -m venv /tmp/pep && /tmp/pep/bin/pip install numpy scipy
    /tmp/pep/bin/python worst/generate/pep.py worst/certificates            # everything that is missing
    /tmp/pep/bin/python worst/generate/pep.py worst/certificates theorem2   # only files whose name begins so

Nothing that this script computes is believed: `go test ./worst` and `tqn verify` check every multiplier and every instance exactly. The script only
has to find numbers that pass. Units: D = G = 1 for Theorems 2 and 3 (steps k/sqrt(t) with k = c G/D), mu = G = 1 for Theorems 1 and 4.

A problem is: maximise <C, Gram> + c.f over a Gram matrix (positive semidefinite) and function values f, subject to <A_i, Gram> + a_i.f <= b_i. The
dual is: minimise b.lambda over lambda >= 0 with sum lambda_i a_i = c and sum lambda_i A_i - C positive semidefinite. The names of the inequalities are
those of worst/inequalities.go:

    F s t   f_t >= f_s + <g_s, w_t - w_s> + (the quadratic terms of the class)
    N t s   <n_t, w_s - w_t> <= 0, n_t = w_{t-1} - alpha_{t-1} g_{t-1} - w_t: w_t is the projection
    D s t   |w_s - w_t|^2 <= D^2
    G t     |g_t|^2 <= G^2
    S t     <g_*, w_t> >= 0: w_* minimises F over W

with 0 for w_* (placed at the origin, F(w_*) = 0), 1..T for the iterates and T+1 for the average.
"""
import json, math, os, sys, time
from fractions import Fraction

import numpy as np

import ipm

SCALE = 1 << 40


class Problem:
    """One problem: theorem 1..4, T, k2 = (c G/D)^2 for 2 and 3, l = L D/G or L/mu for 3 and 4."""

    def __init__(self, theorem, T, k2=None, l=None):
        self.theorem, self.T, self.k2, self.l = theorem, T, k2, l
        strong, smooth = theorem in (1, 4), theorem in (3, 4)
        self.mu = 1.0 if strong else 0.0
        self.alpha = [1 / (t + 1) if strong else math.sqrt(k2 / t) for t in range(1, T + 1)]
        n = 2 * T + (2 if smooth else 0)  # w_1..w_T, g_1..g_T, then g_{T+1}, g_*
        e = np.eye(n)
        zero = np.zeros(n)
        w = [zero] + [e[i] for i in range(T)]
        g = [e[n - 1] if smooth else zero] + [e[T + i] for i in range(T)]
        mean = sum(w[1:]) / T
        if smooth:
            w.append(mean)
            g.append(e[2 * T])
        self.n, self.p = n, T + (1 if smooth else 0)
        self.w, self.g = w, g
        self.names, self.A, self.a, self.b = [], [], [], []
        for s in range(len(w)):
            for t in range(len(w)):
                if s != t:
                    self.add(("F", s, t), self.interpolation(s, t), {s: 1, t: -1}, 0)
        for t in range(1, T + 1):
            self.add(("G", t), ip(g[t], g[t]), {}, 1)
        if not strong:
            for s in range(T + 1):
                for t in range(s + 1, T + 1):
                    self.add(("D", s, t), ip(w[t] - w[s], w[t] - w[s]), {}, 1)
        for t in range(2, T + 1):
            normal = w[t - 1] - self.alpha[t - 2] * g[t - 1] - w[t]
            for s in range(T + 1):
                if s != t:
                    self.add(("N", t, s), ip(normal, w[s] - w[t]), {}, 0)
        if smooth:
            for t in range(1, T + 1):
                self.add(("S", t), -ip(g[0], w[t]), {}, 0)
        self.c, self.C = np.zeros(self.p), np.zeros((n, n))
        if smooth:
            self.c[T] = 1
        else:  # F(wbar) <= mean of f_t - (mu/2) mean of |w_t - wbar|^2, attained
            self.c[:] = 1 / T
            for t in range(1, T + 1):
                self.C -= self.mu / (2 * T) * ip(w[t] - mean, w[t] - mean)

    def add(self, name, A, coefficients, b):
        a = np.zeros(self.p)
        for i, x in coefficients.items():
            if i > 0:
                a[i - 1] += x
        self.names.append(name), self.A.append(A), self.a.append(a), self.b.append(float(b))

    def interpolation(self, s, t):
        x, y, gx, gy = self.w[s], self.w[t], self.g[s], self.g[t]
        A = ip(gx, y - x)
        if self.l is None:
            return A + self.mu / 2 * ip(y - x, y - x)
        q = self.mu / self.l
        return A + (ip(gx - gy, gx - gy) / self.l + self.mu * ip(x - y, x - y) - 2 * q * ip(gy - gx, y - x)) / (2 * (1 - q))

    def candidates(self):
        """The inequalities that the duals were seen to use: those that look back in time. The others start outside the working set."""
        if self.l is not None and not (self.theorem == 3 and self.l >= 16):
            return list(range(len(self.names)))
        ends = (0, self.T + 1)
        back = lambda kind, s, t: s <= 2 if kind == "D" else s in ends or t in ends or t < s
        return [k for k, nm in enumerate(self.names) if len(nm) < 3 or back(*nm)]

    def solve(self, delta, rows):
        """The dual with its matrix at least delta*I, over a working set of inequalities."""
        if not hasattr(self, "pairs"):
            self.pairs = {}
        for k in rows:
            if k not in self.pairs:
                self.pairs[k] = ipm.factor(self.A[k])
        return ipm.solve([self.pairs[k] for k in rows], np.array(self.a)[rows], np.array(self.b)[rows], self.C + delta * np.eye(self.n), self.c)

    def short(self, gram, f, rows):
        """The inequalities outside rows that a table violates."""
        inside = set(rows)
        return [k for k in range(len(self.names)) if k not in inside and self.b[k] - np.sum(self.A[k] * gram) - self.a[k] @ f < -1e-8]

    def upper(self, delta):
        """Multipliers as whole multiples of 2^-40 that sum exactly to c, the bound, the smallest eigenvalue left, the solution."""
        rows = self.candidates()
        while True:
            solution = self.solve(delta, rows)
            missed = self.short(solution.X, solution.f, rows)
            if not missed:
                break
            rows = sorted(rows + missed)
        lam = np.zeros(len(self.names))
        lam[rows] = solution.lam
        num = [Fraction(round(x * SCALE)) if x > 3e-10 else Fraction(0) for x, nm in zip(lam, self.names)]
        for t in range(1, self.p + 1):
            want = Fraction(1, self.T) if self.p == self.T else Fraction(int(t == self.p))
            total = sum(int(self.a[k][t - 1]) * num[k] for k in range(len(num)) if self.a[k][t - 1])
            miss = want * SCALE - total
            up, down = self.names.index(("F", t, 0)), self.names.index(("F", 0, t))
            if miss > 0:
                num[up] += miss
            else:
                num[down] -= miss
        S = sum(float(x) / SCALE * A for x, A in zip(num, self.A) if x) - self.C
        return num, float(sum(x * Fraction(b) for x, b in zip(num, self.b))) / SCALE, np.linalg.eigvalsh(S)[0], solution

    def lower(self, solution, bound):
        """Vectors w, g and values f of an instance, as multiples of 2^-bits, its value and bits. Each slack costs the sum of the multipliers times that, thousands for Theorem 4: it asks for the smallest that rounding survives."""
        best = None
        for least, bits in ((1e-10, 40), (1e-11, 50), (3e-12, 50), (1e-12, 50), (3e-13, 50), (1e-13, 50)) if self.theorem == 4 else ((1e-10, 40), (3e-10, 40)):
            found = solution.feasible(least)
            if found is None:
                continue
            _, gram, f = found
            if self.theorem == 1:  # the iterates have to be independent for Jensen's inequality to be attained
                gram[: self.T, : self.T] += least / 4 * np.eye(self.T)
            lam, U = np.linalg.eigh(gram)
            for cut in (10 * least, least, least / 10, least / 100, 0):
                keep = lam > cut
                B = (U[:, keep] * np.sqrt(lam[keep])).T  # columns are vectors
                if B.shape[0] <= B.shape[1]:
                    Q, _ = np.linalg.qr(B)
                    B = Q.T @ B
                B, g = np.round(B * 2.0**bits) / 2.0**bits, np.round(f * 2.0**bits) / 2.0**bits
                if max(float(np.sum(A * (B.T @ B)) + a @ g - b) for A, a, b in zip(self.A, self.a, self.b)) < -min(1e-12, least / 20):
                    value = g[-1] if self.l is not None else self.average(B, g)[1]
                    if best is None or value > best[2]:
                        best = B, g, value, bits
                    break
            if best and bound - best[2] < 6e-7:
                break
        return best

    def average(self, B, f):
        """A slope at the average, and F there, for the classes without a smoothness constant."""
        W, T = B[:, : self.T], self.T
        m = W.mean(axis=1)
        X = np.vstack([(W - m[:, None]).T, -m[None, :]])
        r = np.append(f, 0) - self.mu / 2 * np.sum(np.vstack([(W - m[:, None]).T, -m[None, :]]) ** 2, axis=1)
        # smallest slope with <slope, w_t - m> = r_t - v for all t, v the mean of r; slack at w_*
        v = r[:T].mean()
        rhs = r - v
        slope = np.linalg.lstsq(X[:T], rhs[:T], rcond=1e-13)[0]
        if X[T] @ slope > rhs[T]:
            slope = np.linalg.lstsq(X, rhs, rcond=1e-13)[0]
        slope = np.round(slope * SCALE) / SCALE
        return slope, float((r - X @ slope).min())


class Rounded(Problem):
    """Theorem 1 or 2 with rounding errors, in expectation: w_{t+1} = y_t + r_t, y_t the projected step, with

        R t     E|r_t|^2 <= kappa alpha_t, Lemma 1 with kappa = sqrt(d) Delta in units of D or of G/mu
        O t x   E<r_t, x> = 0 for x = w_s, y_s, g_s, s <= t (x = s, T+s, 2T+s): an equality, of which <= 0 is enough

    The other inequalities hold for every outcome, hence in expectation; y_t is point T+t in D and N t s. Upper side only.
    """

    def __init__(self, theorem, T, k2, kappa):
        self.theorem, self.T, self.k2, self.l = theorem, T, k2, None
        self.mu = 1.0 if theorem == 1 else 0.0
        self.alpha = [1 / (t + 1) if theorem == 1 else math.sqrt(k2 / t) for t in range(1, T + 1)]
        n = 3 * T - 1  # w_1, y_1..y_{T-1}, r_1..r_{T-1}, g_1..g_T
        e, zero = np.eye(n), np.zeros(n)
        y, r = [None] + [e[t] for t in range(1, T)], [None] + [e[T - 1 + t] for t in range(1, T)]
        self.w = w = [zero, e[0]] + [y[t] + r[t] for t in range(1, T)]
        self.g = g = [zero] + [e[2 * T - 2 + t] for t in range(1, T + 1)]
        self.n, self.p = n, T
        self.names, self.A, self.a, self.b = [], [], [], []
        for s in range(T + 1):
            for t in range(T + 1):
                if s != t:
                    self.add(("F", s, t), self.interpolation(s, t), {s: 1, t: -1}, 0)
        for t in range(1, T + 1):
            self.add(("G", t), ip(g[t], g[t]), {}, 1)
        points = w + y[1:]
        if theorem == 2:
            for s in range(2 * T):
                for t in range(s + 1, 2 * T):
                    self.add(("D", s, t), ip(points[t] - points[s], points[t] - points[s]), {}, 1)
        for t in range(1, T):
            for s in range(2 * T):
                if s != T + t:
                    self.add(("N", t, s), ip(w[t] - self.alpha[t - 1] * g[t] - y[t], points[s] - y[t]), {}, 0)
            self.add(("R", t), ip(r[t], r[t]), {}, kappa * self.alpha[t - 1])
        for t in range(1, T):
            for s in range(1, t + 1):
                for x, v in ((s, w[s]), (T + s, y[s]), (2 * T + s, g[s])):
                    self.add(("O", t, x), ip(r[t], v), {}, 0)
        mean = sum(w[1:]) / T
        self.c, self.C = np.full(T, 1 / T), np.zeros((n, n))
        for t in range(1, T + 1):
            self.C -= self.mu / (2 * T) * ip(w[t] - mean, w[t] - mean)

    def candidates(self):
        return list(range(len(self.names)))


class RoundedBC(Problem):
    """Theorem 3 with BC's rounding: gradients g_t are taken at q_t = w_t + r_t in W, |r_t|^2 <= kappa^2/4 with kappa = sqrt(d) Delta, and w_{t+1} = P_W(w_t - alpha_t g_t).

        F s t   between the points 0, q_1..q_T and T+1, the average of the w_t
        D, N, S with the points 0, w_1..w_T, q_1..q_T (q_t is point T+t)
        R t     |r_t|^2 <= kappa^2/4
        O t x   Q_s only, everything in expectation: E<r_t, x> = 0 for x = w_s, s <= t, and g_s, r_s, s < t (x = s, T+s, 2T+s)
    """

    def __init__(self, T, k2, l, kappa, rounding):
        self.theorem, self.T, self.k2, self.l, self.mu = 3, T, k2, l, 0.0
        self.alpha = [math.sqrt(k2 / t) for t in range(1, T + 1)]
        n = 3 * T + 2  # w_1..w_T, r_1..r_T, g_1..g_T, g_{T+1}, g_*
        e, zero = np.eye(n), np.zeros(n)
        w, r, g = [zero] + [e[t] for t in range(T)], [None] + [e[T + t] for t in range(T)], [e[3 * T + 1]] + [e[2 * T + t] for t in range(T + 1)]
        q = [zero] + [w[t] + r[t] for t in range(1, T + 1)]
        self.w, self.g = q + [sum(w[1:]) / T], g
        self.n, self.p = n, T + 1
        self.names, self.A, self.a, self.b = [], [], [], []
        for s in range(T + 2):
            for t in range(T + 2):
                if s != t:
                    self.add(("F", s, t), self.interpolation(s, t), {s: 1, t: -1}, 0)
        for t in range(1, T + 1):
            self.add(("G", t), ip(g[t], g[t]), {}, 1)
        points = w + q[1:]
        for s in range(2 * T + 1):
            for t in range(s + 1, 2 * T + 1):
                self.add(("D", s, t), ip(points[t] - points[s], points[t] - points[s]), {}, 1)
        for t in range(2, T + 1):
            for s in range(2 * T + 1):
                if s != t:
                    self.add(("N", t, s), ip(w[t - 1] - self.alpha[t - 2] * g[t - 1] - w[t], points[s] - w[t]), {}, 0)
        for t in range(1, 2 * T + 1):
            self.add(("S", t), -ip(g[0], points[t]), {}, 0)
        for t in range(1, T + 1):
            self.add(("R", t), ip(r[t], r[t]), {}, kappa * kappa / 4)
        if rounding == "stochastic":
            for t in range(1, T + 1):
                for s in range(1, t + 1):
                    for x, v in ((s, w[s]), (T + s, g[s]), (2 * T + s, r[s])):
                        if s < t or x == s:
                            for sign in (1, -1):
                                self.add(("O", t, x) if sign > 0 else ("P", t, x), sign * ip(r[t], v), {}, 0)
        self.c, self.C = np.zeros(T + 1), np.zeros((n, n))
        self.c[T] = 1

    def candidates(self):
        return list(range(len(self.names)))


def ip(x, y):
    return (np.outer(x, y) + np.outer(y, x)) / 2


def certificate(theorem, T, k2, l):
    p = Problem(theorem, T, None if k2 is None else float(Fraction(k2)), None if l is None else float(Fraction(l)))
    start = time.time()
    for delta in (4e-9 / T, 1.5e-8 / T, 6e-8 / T, 3e-7 / T):
        num, upper, least, solution = p.upper(delta)
        if least > delta / 4:
            break
    found = p.lower(solution, upper)
    if found is None:
        raise ValueError(f"no instance: {solution.status}")
    B, f, value, bits = found
    out = {"theorem": theorem, "T": T}
    if k2 is not None:
        out["k2"] = k2
    if l is not None:
        out["l"] = l
    out["upper"] = weights(p.names, num)
    ints = lambda v: [int(round(x * 2.0**bits)) for x in v]
    out["lower"] = low = {"w": [ints(B[:, t]) for t in range(T)], "g": [ints(B[:, t]) for t in range(T, p.n)], "f": ints(f)}
    if l is None:
        low["g"].append(ints(p.average(B, f)[0]))
    if bits != 40:
        low["bits"] = bits
    print(f"theorem{theorem} T={T} k2={k2} l={l}: {value:.9f} <= worst <= {upper:.9f} gap {upper-value:.2e} least {least:.1e}/{delta:.1e} d={B.shape[0]} {solution.status} {time.time()-start:.1f}s", flush=True)
    return out, upper - value


def weights(names, num):
    lists = {}
    for (kind, *index), x in zip(names, num):
        if x:
            lists.setdefault(kind, []).append([*index, x.numerator if x.denominator == 1 else str(x)])
    return lists


def rounded(theorem, T, k2, kappa):
    p = Rounded(theorem, T, None if k2 is None else float(Fraction(k2)), float(Fraction(kappa)))
    for delta in (4e-9 / T, 1.5e-8 / T, 6e-8 / T):
        num, upper, least, solution = p.upper(delta)
        if least > delta / 4:
            break
    out = {"theorem": theorem, "T": T, "kappa": kappa}
    if k2 is not None:
        out["k2"] = k2
    out["upper"] = weights(p.names, num)
    print(f"theorem{theorem} T={T} k2={k2} kappa={kappa}: worst <= {upper:.9f} least {least:.1e}/{delta:.1e} {solution.status}", flush=True)
    return out, 0.0 if least > 0 else 1.0


def rounded_bc(T, k2, l, kappa, rounding):
    p = RoundedBC(T, float(Fraction(k2)), float(Fraction(l)), float(Fraction(kappa)), rounding)
    for delta in (4e-9 / T, 1.5e-8 / T, 6e-8 / T, 3e-7 / T):
        num, upper, least, solution = p.upper(delta)
        if least > delta / 4:
            break
    lists = weights(p.names, num)
    both = {}  # the two sides of an equality are one weight
    for sign, kind in ((1, "O"), (-1, "P")):
        for t, x, y in lists.pop(kind, []):
            both[t, x] = both.get((t, x), 0) + sign * Fraction(y)
    if both:
        lists["O"] = [[t, x, y.numerator if y.denominator == 1 else str(y)] for (t, x), y in both.items() if y]
    out = {"theorem": 3, "T": T, "k2": k2, "l": l, "kappa": kappa, "rounding": rounding, "upper": lists}
    print(f"theorem3 T={T} k2={k2} l={l} kappa={kappa} {rounding}: worst <= {upper:.9f} least {least:.1e}/{delta:.1e} {solution.status}", flush=True)
    return out, 0.0 if least > 0 else 1.0


# What is solved: Theorem 2 at c = D/G and sqrt(2) D/G over T and over c at T = 10, Theorem 1 over T, Theorem 3 at two smoothness constants, Theorem 4 at two
# condition numbers.
ROWS = [(1, None, None, T) for T in (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 30)]
ROWS += [(2, k2, None, T) for k2 in ("1", "2") for T in (1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 16, 20, 24, 30)]
ROWS += [(2, k2, None, 10) for k2 in ("1/16", "1/4", "9/16", "25/16", "169/100", "9/4", "3", "4", "9", "16")]
ROWS += [(2, "169/100", None, 24), (2, "169/100", None, 30), (2, "81/100", None, 3), (2, "9/16", None, 6), (2, "49/100", None, 10), (2, "9/20", None, 16), (2, "49/16", None, 7), (2, "4", None, 7), (2, "9/2", None, 6), (2, "9/2", None, 7)]
ROWS += [(3, "25/16", "100", T) for T in (2, 3, 4, 6, 8, 10, 30)]
ROWS += [(3, "1", l, T) for l in ("4", "16") for T in (2, 3, 4, 6, 8, 10, 12, 16, 20)] + [(3, "1", l, 30) for l in ("4", "16")]
ROWS += [(3, "9/4", "16", T) for T in (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30)]
ROWS += [(4, None, l, T) for l in ("2", "10") for T in (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 30)]


ROUNDED = [(theorem, k2, kappa, T) for theorem, k2 in ((1, None), (2, "1"), (2, "2")) for kappa in ("1/10", "1/4", "1") for T in (2, 3, 4, 6, 8, 10)]


ROUNDED_BC = [("1", l, kappa, T, rounding) for rounding in ("nearest", "stochastic") for l in ("4", "16") for kappa in ("1/10", "1/4") for T in (2, 3, 4, 6)]


def name(theorem, k2, l, T, kappa=None):
    text = f"theorem{theorem}"
    for key, value in (("k2", k2), ("l", l), ("kappa", kappa)):
        if value is not None:
            text += f"-{key}-{value.replace('/', 'over')}"
    return f"{text}-t{T}.json"


if __name__ == "__main__":
    folder, prefix = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    for theorem, k2, kappa, T in sorted(ROUNDED, key=lambda r: r[3]):
        path = os.path.join(folder, "rounded", name(theorem, k2, None, T, kappa))
        if os.path.basename(path).startswith(prefix) and not os.path.exists(path):
            out, failed = rounded(theorem, T, k2, kappa)
            if not failed:
                with open(path + ".part", "w") as f:
                    json.dump(out, f, separators=(",", ":"))
                os.rename(path + ".part", path)
    for k2, l, kappa, T, rounding in sorted(ROUNDED_BC, key=lambda r: r[3]):
        path = os.path.join(folder, "rounded", name(3, k2, l, T, kappa).replace("-t", f"-{rounding}-t"))
        if os.path.basename(path).startswith(prefix) and not os.path.exists(path):
            out, failed = rounded_bc(T, k2, l, kappa, rounding)
            if not failed:
                with open(path + ".part", "w") as f:
                    json.dump(out, f, separators=(",", ":"))
                os.rename(path + ".part", path)
    for theorem, k2, l, T in sorted(ROWS, key=lambda r: r[3]):
        path = os.path.join(folder, name(theorem, k2, l, T))
        if os.path.basename(path).startswith(prefix) and not os.path.exists(path):
            try:
                out, gap = certificate(theorem, T, k2, l)
            except Exception as e:  # the next problem may still be solved
                print(path, "not solved:", e, flush=True)
                continue
            if not gap < 1e-6:
                print(path, "not kept: gap", gap, flush=True)
                continue
            with open(path + ".part", "w") as f:
                json.dump(out, f, separators=(",", ":"))
            os.rename(path + ".part", path)
