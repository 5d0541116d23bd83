#!/usr/bin/env bash
# Builds static binaries of tqn for linux, darwin and windows on amd64 and arm64, with checksums, into the folder given
# (default: dist). Example: release/build.sh dist
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-dist}
mkdir -p "$out"
rm -f "$out"/tqn-* "$out"/SHA256SUMS
for system in ${TQN_SYSTEMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}; do
  name="tqn-${system%/*}-${system#*/}"
  [ "${system%/*}" != windows ] || name="$name.exe"
  GOOS=${system%/*} GOARCH=${system#*/} CGO_ENABLED=0 go build -trimpath -tags static -ldflags "-s -w" -o "$out/$name" ./cmd/tqn
  echo "$out/$name"
done
cd "$out"
if command -v sha256sum >/dev/null; then sha256sum tqn-* >SHA256SUMS; else shasum -a 256 tqn-* >SHA256SUMS; fi
echo "$out/SHA256SUMS"
