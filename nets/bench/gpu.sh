#!/usr/bin/env bash
# Measures on one NVIDIA GPU, in under 8 minutes, how fast the training step is that tqn runs through XLA, and beside PyTorch.
#
# usage: nets/bench/gpu.sh [FILE]       (default gpu.txt; every line is written as it is had, the most wanted ones first, so that a run cut off leaves them)
# It needs the built command (TQN, default ./tqn), XLA's CUDA plug-in (pip install 'jax[cuda13]', TQN_PJRT_PLUGIN, or whatever else tqn finds)
# and, for what stands beside PyTorch, a Python that has it (TQN_PYTHON, default python3). With XLA_TEST, the package's compiled tests
# (go test -c -o xla.test ./nets/xla), it first runs those that need a GPU. Without a GPU it measures XLA's CPU
# plug-in and says so: SMALL=1 makes that a rehearsal of some minutes on narrow nets, whose numbers mean nothing.
set -uo pipefail
tqn=${TQN:-./tqn}
python=${TQN_PYTHON:-python3}
export TQN_PYTHON=$python
out=${1:-gpu.txt}
limit=${LIMIT:-460} # seconds in all
batch=128 uneven=100 width=1 half=0.5 quarter=0.25 few=16 rounds=3 steps=3 train=(--epochs 4 --train-images 10000 --test-images 2000)
if [ -n "${SMALL:-}" ]; then batch=4 uneven=5 width=0.0625 half=0.0625 quarter=0.0625 few=4 rounds=1 steps=1 train=(--epochs 1 --train-images 256 --test-images 128); fi
begun=$SECONDS
left() { echo $((limit - SECONDS + begun)); }
log=$(mktemp -d) && trap 'rm -rf "$log"' EXIT
say() { printf '%s\n' "$*" | tee -a "$out"; }

: >"$out" || exit 2
"$tqn" --version >/dev/null || { echo "gpu.sh: $tqn does not run: build it, or name it in TQN" >&2; exit 2; }
say "# $(date -u +%FT%TZ), $("$tqn" --version | head -1)"
say "# card: $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo 'no NVIDIA driver: this is no measurement of a GPU')"
say "# PyTorch: $("$python" -c 'import torch; print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "on the CPU")' 2>/dev/null || echo "none in $python")"
say "# a training step, batch $batch; graphs: which operations XLA records in CUDA graphs, and in which order they run (ours: also convolutions, side by side; serial: one after the other; XLA: its default; none)"
say "$(printf '%-14s %-5s %-6s %10s %10s %6s %9s  %s' net prec graphs images/s PyTorch ratio compile what)"

# field FILE NAME: a field of the JSON that a command printed, of its first element where it is a list; - where there is none.
field() {
  "$python" - "$1" "$2" <<'PY'
import json, sys
try:
    value = json.load(open(sys.argv[1]))
    value = (value[0] if isinstance(value, list) else value)[sys.argv[2]]
    print(f"{value:.2f}" if sys.argv[2] == "ratio" else f"{value:.0f}" if isinstance(value, (int, float)) else value)
except Exception:
    print("-")
PY
}

# run NET PRECISION GRAPHS WHAT COMMAND...: one line of the table, or one that says why there is none.
run() {
  local net=$1 precision=$2 graphs=$3 what=$4 flags
  shift 4
  case $graphs in
  ours) flags=${XLA_FLAGS:-} ;;
  serial) flags="${XLA_FLAGS:-} --xla_gpu_command_buffer_scheduling_mode=SERIALIZE" ;;
  XLA) flags="${XLA_FLAGS:-} --xla_gpu_enable_command_buffer=+FUSION" ;; # what it is by default; naming it keeps tqn from adding to it
  none) flags="${XLA_FLAGS:-} --xla_gpu_enable_command_buffer=" ;;
  esac
  [ "$(left)" -ge 20 ] || { say "$(printf '%-14s %-5s %-6s %s' "$net" "$precision" "$graphs" "not begun: the time is up")"; return; }
  if XLA_FLAGS=$flags timeout "$(left)" "$@" --json >"$log/json" 2>"$log/err"; then
    local speed peer
    speed=$(field "$log/json" images_per_second) peer=$(field "$log/json" peer_images_per_second)
    [ -n "$speed" ] && [ "$speed" != - ] || what="no result: $(tail -1 "$log/err")"
    say "$(printf '%-14s %-5s %-6s %10s %10s %6s %8ss  %s' "$net" "$precision" "$graphs" "$speed" "$peer" "$(field "$log/json" ratio)" \
      "$(field "$log/json" compile_seconds)" "$what; $(field "$log/json" kernel | cut -d, -f1-2) $(field "$log/json" layout)")"
  else
    say "$(printf '%-14s %-5s %-6s %s' "$net" "$precision" "$graphs" "failed ($?): $(tail -1 "$log/err")")"
  fi
}
alone() { run "$1" "$2" "$3" alone "$tqn" bench --engine pjrt --net "$1" --precision "$2" --batch "$batch" --width "$width"; }
# beside measures a net in turn with PyTorch, at its whole width: in a rehearsal only the narrowest.
beside() {
  local case=$1
  [ -z "${SMALL:-}" ] || case=vgg9-quarter
  run "$1" "$2" ours beside "$tqn" bench --engine pjrt --peers --only "$case" --precision "$2" --batch "$batch" --rounds "$rounds" --steps "$steps"
}
# at NET PRECISION BATCH WIDTH STREAMS: another batch or width, and so many steps on the card at once.
at() { run "$1" "$2" ours "batch $3, width $4, $5 at once" "$tqn" bench --engine pjrt --net "$1" --precision "$2" --batch "$3" --width "$4" --streams "$5"; }

# Does it learn? The same short training in each precision: test errors of one method that lie apart by more than a
# few points, or a failure, say that the numbers below are of no use.
learns() {
  local net=$1 scale=$2 precision=$3
  if timeout "$(left)" "$tqn" train --engine pjrt --net "$net" --method sr --data embedded --batch 64 --seed 1 "${train[@]}" \
    --width "$scale" --precision "$precision" --out "$log/$net-$precision" --json >"$log/json" 2>"$log/err"; then
    say "# $net at $scale of its width, sr on the built-in images, $precision: test error $(field "$log/json" test_error) % after ${train[*]}"
  else
    say "# $net, sr on the built-in images, $precision: failed ($?): $(tail -1 "$log/err")"
  fi
}
# The kernels of our own that a GPU makes of their text compute what they are to, and a step with them what one without computes.
if [ -n "${XLA_TEST:-}" ]; then
  TQN_REQUIRE_PJRT=1 timeout 120 "$XLA_TEST" -test.run 'OnAGPU$' -test.v 2>&1 | grep -E '^(---|PASS|FAIL|ok|panic)|_test.go' | cut -c1-200 | while read -r line; do say "# $line"; done
fi

learns vgg9 "$half" bf16
alone vgg9 tf32 ours
alone resnet56 bf16 ours
alone vgg9 bf16 ours
alone resnet56 tf32 ours
for net in vgg-bc wrn56-2; do for precision in bf16 tf32; do alone $net $precision ours; done; done
alone vgg9 f32 ours
for precision in bf16 tf32; do beside vgg9 $precision; done
for streams in 1 4; do at vgg9 tf32 "$few" "$quarter" $streams; done
for precision in bf16 tf32; do beside resnet56 $precision; done
at resnet56 bf16 "$uneven" "$width" 1
at resnet56 bf16 "$batch" "$width" 2
for precision in tf32 f32; do learns vgg9 "$half" $precision; done
for graphs in serial none; do alone resnet56 bf16 $graphs; done
for net in wrn56-2 vgg-bc; do beside $net bf16; done # PyTorch compiles for more than a minute
say "# done after $((SECONDS - begun)) s"
