# Every recipe is a line or two over the go command; README.md has the same without just.

# list the recipes
default:
    @just --list

# Table 1, scaled down to this machine, with its report under results/table1-quick
reproduce-table1 *args:
    go run ./cmd/tqn table1 --preset quick --out results/table1-quick {{args}}

# the referee: every claim of the paper, printed and derived, with a report under results/verify
verify *args:
    go run ./cmd/tqn verify --out results/verify {{args}}

# Figures 1 to 3 with the exact laws
toy *args:
    go run ./cmd/tqn toy --out results/toy {{args}}

# everything CI checks
check:
    bash .ci/run

# the project's own benchmarks
bench:
    go test ./... -run '^$' -bench . -benchtime 0.5s

# the same, alternating with PyTorch, QuantEcon, PyDTMC and numpy where Python has them
bench-peers:
    go run ./nets/bench
    go run ./markov/bench
