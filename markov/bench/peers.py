"""Answers requests of `go run ./markov/bench` with other packages' solvers.

One JSON request a line on stdin: {"peer", "task", "n", "file"}; file holds n*n
float64 values, row-major: off-diagonal transition probabilities, the diagonal is
zero. One JSON answer a line: {"seconds", "pi" | "gap"} or {"error"}.
"""
import json
import sys
import time

peers = {}
try:
    import numpy as np
    peers["numpy"] = np.__version__
    import quantecon
    from quantecon.markov import gth_solve
    peers["QuantEcon"] = quantecon.__version__
except ImportError:
    pass
try:
    import pydtmc
    from importlib.metadata import version
    peers["PyDTMC"] = version("PyDTMC")
except ImportError:
    pass


def load(request):
    n = request["n"]
    return np.fromfile(request["file"]).reshape(n, n)


def with_diagonal(a):
    p = a.copy()
    np.fill_diagonal(p, 1 - p.sum(axis=1))
    return p


def answer(request):
    peer, task = request["peer"], request["task"]
    a = load(request)
    p = with_diagonal(a)
    start = time.perf_counter()
    if task == "stationary":
        if peer == "QuantEcon":
            pi = gth_solve(a)
        elif peer == "QuantEcon MarkovChain":
            pi = quantecon.MarkovChain(p).stationary_distributions[0]
        elif peer == "PyDTMC":
            pi = np.asarray(pydtmc.MarkovChain(p.tolist()).steady_states[0])
        else:
            values, vectors = np.linalg.eig(p.T)
            pi = np.real(vectors[:, np.argmax(np.real(values))])
            pi = pi / pi.sum()
        return {"seconds": time.perf_counter() - start, "pi": [float(v) for v in pi]}
    if peer == "PyDTMC":
        gap = pydtmc.MarkovChain(p.tolist()).spectral_gap
        gap = float("nan") if gap is None else float(gap)
    else:
        moduli = np.sort(np.abs(np.linalg.eigvals(p)))
        gap = float(1 - moduli[-2])
    return {"seconds": time.perf_counter() - start, "gap": gap}


print(json.dumps(peers), flush=True)
for line in sys.stdin:
    try:
        out = answer(json.loads(line))
    except Exception as e:  # a peer that refuses a chain is a result
        out = {"error": f"{type(e).__name__}: {str(e).splitlines()[0][:80] if str(e) else ''}"}
    # JSON has no word for NaN.
    text = json.dumps(out).replace('NaN', '0')
    print(text, flush=True)
