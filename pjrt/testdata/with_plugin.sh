#!/usr/bin/env bash
# Runs the tests of pjrt and nets/xla on an XLA CPU plug-in, which pip installs into a virtual environment outside
# the checkout (TQN_PJRT_VENV, default below the user's cache folder; kept between runs). With the word cuda first, XLA's CUDA
# plug-in is installed too (700 MB): without a GPU its compiler says what it makes of the programs. Without Python or network, or
# on a machine a wheel is not made for, it says so in one line and succeeds.
# usage: pjrt/testdata/with_plugin.sh [cuda] [go test flags, for example -short]
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${TQN_PJRT_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/tqn/pjrt-venv}
log=${TMPDIR:-/tmp}/tqn-pjrt-pip.log
# plugin FILE WHEEL...: the path of FILE, after installing the wheels if it is not there.
plugin() {
  local file=$1
  shift
  find_it() { find "$venv" -name "$file" 2>/dev/null | head -1; }
  [ -n "$(find_it)" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --no-deps "$@"; } >"$log" 2>&1 || return 1
  find_it
}
cpu=lammps-jax-pjrt-cpu==0.11.2
if ! TQN_PJRT_PLUGIN=$(plugin pjrt_c_api_cpu_plugin.so $cpu); then
  echo "pjrt: tests on a plug-in skipped: pip cannot install $cpu here ($(tail -1 "$log"))"
  exit 0
fi
export TQN_PJRT_PLUGIN
if [ "${1:-}" = cuda ]; then
  shift
  cuda="jax-cuda13-pjrt==0.10.2 nvidia-cuda-nvcc==13.5.37 nvidia-nvvm==13.5.37"
  # shellcheck disable=SC2086
  if TQN_PJRT_CUDA_PLUGIN=$(plugin xla_cuda_plugin.so $cuda); then
    export TQN_PJRT_CUDA_PLUGIN
  else
    echo "pjrt: compiling for CUDA skipped: pip cannot install $cuda here ($(tail -1 "$log"))"
  fi
fi
TQN_REQUIRE_PJRT=1 CGO_ENABLED=0 exec go test -count=1 -timeout 30m "$@" ./pjrt ./nets/xla
