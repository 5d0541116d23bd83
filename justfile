# Every recipe is a line or two over the go command; README.md has the same without just.

# list the recipes
default:
    @just --list

# Table 1, scaled down to this machine, with its report under results/table1-quick
reproduce-table1 *args:
    go run ./cmd/tqn table1 --preset quick --figures --out results/table1-quick {{args}}

# the referee: every claim of the paper, printed and derived, with a report under results/verify
verify *args:
    go run ./cmd/tqn verify --out results/verify {{args}}

# Figures 1 to 3 with the exact laws
toy *args:
    go run ./cmd/tqn toy --out results/toy {{args}}

# everything CI checks
check:
    bash .ci/run

# the project's own benchmarks: chains and simulation, kernels, a training step
bench:
    go test ./quantize ./convex ./markov ./toy ./nets/... -run '^$' -bench . -benchtime 1x
    go run ./cmd/tqn bench --net vgg9 --layers

# alternating with PyTorch, QuantEcon, PyDTMC and numpy where $TQN_PYTHON (default python3) has them; every layer against the machine's limit
bench-peers:
    go run ./cmd/tqn bench --peers && go run ./cmd/tqn bench --peers --cells && go run ./cmd/tqn bench --peers --precision bf16
    for net in vgg9 vgg-bc resnet56 wrn56-2; do go run ./cmd/tqn bench --net $net --layers; done
    go run ./markov/bench
