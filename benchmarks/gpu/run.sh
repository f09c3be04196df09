#!/usr/bin/env bash
# Test, time and train on a GPU within nine minutes: tests of CUDA, timings of the stages, the speed of training beside
# transformers' Trainer, the language model, HuBERT.
#
#   [BUDGET=540] [DEVICE=cuda] benchmarks/gpu/run.sh LM_PACK HUBERT_PACK OUT [WHEELS]
#
# LM_PACK, HUBERT_PACK: files of pack.py, the first with units and text, the second with labels and sound. OUT: folder for
# the log and the weights. WHEELS: folder of wheels of what the machine lacks, of which soundfile, soxr, cffi, pycparser and
# accelerate are enough. BUDGET: seconds in all. Each part has its own share of them, so that a slow one takes nothing from
# the next. DEVICE=cpu does little of everything, to try the script.
set -uo pipefail
lm_pack=$1 hubert_pack=$2 out=$3 wheels=${4:-}
budget=${BUDGET:-540} device=${DEVICE:-cuda}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$out"
if [ -n "$wheels" ]; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site "$wheels"/*.whl || exit 1
  export PYTHONPATH=/tmp/site
fi
export PYTHONPATH=$here/../..${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
if [ "$device" = cuda ]; then
  timings="--seconds 600 --batch 64" batch=64 workers=12
  nano="--steps 40 --batch 64 --workers 12" large="--steps 20 --batch 16 --context 1024 --workers 12"
else
  timings="--seconds 2 --batch 2" batch=2 workers=0
  nano="--steps 3 --batch 1 --context 64" large="--steps 2 --batch 1 --context 16"
fi
seconds() { echo $((budget * $1 / 100)); } # PERCENT: that share of the budget
limited() { # PERCENT NAME COMMAND...: its output goes to OUT/log, and its last line to the terminal
  local limit name=$2 begun=$SECONDS
  limit=$(seconds "$1")
  shift 2
  echo "== $name" >> "$out/log"
  # the group of processes is ended, and with it those that the command started
  timeout --kill-after=3 "$limit" "$@" >> "$out/log" 2>&1
  echo "$name: status $?, $((SECONDS - begun)) of $limit s: $(tail -n 1 "$out/log" | cut -c 1-600)"
}
# 95 % in all, so that it ends in time if each of them has to be killed. The options of a part are words: no quotes.
# shellcheck disable=SC2086
{
  limited 11 tests python3 -m pytest -q tests/test_cuda.py
  limited 12 timings python3 "$here/timings.py" --device "$device" $timings
  limited 11 speed-nano python3 "$here/../training.py" --device "$device" --size nano --rounds 1 $nano
  limited 17 speed-350m python3 "$here/../training.py" --device "$device" --size 350m --rounds 1 $large
  limited 25 lm python3 "$here/train.py" lm "$lm_pack" --seconds "$(seconds 22)" --batch $batch --workers $workers \
    --device "$device" --output "$scratch/lm"
  limited 19 hubert python3 "$here/train.py" hubert "$hubert_pack" --seconds "$(seconds 16)" --batch $batch \
    --device "$device" --output "$scratch/hubert"
}
grep '^{' "$out/log" > "$out/figures.jsonl"
for part in lm hubert; do
  [ -d "$scratch/$part" ] && find "$scratch/$part" -name '*.safetensors' -not -path '*/trial/*' -exec cp {} "$out/$part.safetensors" \;
done
ls -l "$out"
