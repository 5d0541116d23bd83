#!/usr/bin/env bash
# Runs the tests of pjrt and nets/xla on an XLA CPU plug-in, which pip installs into a virtual environment outside
# the checkout (TQN_PJRT_VENV, default below the user's cache folder; kept between runs). Without Python or network, or
# on a machine the wheel is not made for, it says so in one line and succeeds.
# usage: pjrt/testdata/with_plugin.sh [go test flags, for example -short]
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${TQN_PJRT_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/tqn/pjrt-venv}
wheel=lammps-jax-pjrt-cpu==0.11.2
find_plugin() { find "$venv" -name pjrt_c_api_cpu_plugin.so 2>/dev/null | head -1; }
if [ -z "$(find_plugin)" ]; then
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --no-deps "$wheel"; } >"${TMPDIR:-/tmp}/tqn-pjrt-pip.log" 2>&1; then
    echo "pjrt: tests on a plug-in skipped: pip cannot install $wheel here ($(tail -1 "${TMPDIR:-/tmp}/tqn-pjrt-pip.log"))"
    exit 0
  fi
fi
TQN_PJRT_PLUGIN=$(find_plugin) TQN_REQUIRE_PJRT=1 CGO_ENABLED=0 exec go test -count=1 -timeout 30m "$@" ./pjrt ./nets/xla
