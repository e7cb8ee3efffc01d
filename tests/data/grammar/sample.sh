#!/bin/bash
# Build everything.
set -euo pipefail
readonly LIMIT=10
names=(one "two three" 'four')
declare -A table=([a]=1 [b]=2)

usage() {
  cat <<EOF
Usage: $0 [-v] NAME
  default: ${NAME:-none}
EOF
  exit 1
}

function build {
  local name="$1" count=$((LIMIT * 2 + 1))
  if [[ -z "$name" || $name == *.txt ]] && [ "$count" -gt 3 ]; then
    echo "empty: ${#names[@]} ${name%%.*}" >&2
    return 1
  elif ! command -v gcc > /dev/null 2>&1; then
    usage
  else
    gcc -O2 -o "$name" "${name}.c" $(pkg-config --libs x) | tee build.log
  fi
}

for name in "${names[@]}"; do
  build "$name" || continue
done
for ((i = 0; i < 3; i++)); do echo $i; done
while read -r line; do
  case "$line" in
    start|begin) echo "starting" ;;
    *.c) gcc "$line" & ;;
    *) break ;;
  esac
done < input.txt
until false; do sleep 1; done
trap 'rm -f "$tmp"' EXIT
(cd /tmp && ls -l) ; { echo a; echo b; } > out
echo `date` "${table[a]}" $'tab\t' <(sort x)
export PATH="$HOME/bin:$PATH"
