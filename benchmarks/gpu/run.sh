#!/usr/bin/env bash
# Test, time and train on a GPU within nine minutes: tests of CUDA, timings of the stages, the language model, HuBERT.
#
#   benchmarks/gpu/run.sh LM_PACK HUBERT_PACK OUT [WHEELS]
#
# LM_PACK, HUBERT_PACK: files of pack.py, the first with units and text, the second with labels and sound. OUT: folder for
# the log and the weights. WHEELS: folder of wheels of what the machine lacks, of which soundfile, soxr, cffi and pycparser
# are enough. Each part has its own limit, so that a slow one takes nothing from the next.
set -uo pipefail
lm_pack=$1 hubert_pack=$2 out=$3 wheels=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
if [ -n "$wheels" ]; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site "$wheels"/*.whl || exit 1
  export PYTHONPATH=/tmp/site
fi
export PYTHONPATH=$here/../..${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
limited() { # SECONDS NAME COMMAND...: its output goes to OUT/log, and its last line to the terminal
  local seconds=$1 name=$2 begun=$SECONDS
  shift 2
  echo "== $name" >> "$out/log"
  timeout --kill-after=5 "$seconds" "$@" >> "$out/log" 2>&1
  echo "$name: status $?, $((SECONDS - begun)) s: $(tail -n 1 "$out/log" | cut -c 1-600)"
}
limited 60 tests python3 -m pytest -q tests/test_cuda.py
limited 70 timings python3 "$here/timings.py" --device cuda --seconds 600 --batch 64
limited 190 lm python3 "$here/train.py" lm "$lm_pack" --seconds 170 --batch 64 --workers 12 --output /tmp/trained-lm
limited 150 hubert python3 "$here/train.py" hubert "$hubert_pack" --seconds 130 --batch 64 --output /tmp/trained-hubert
for weights in /tmp/trained-lm/spiritlm_model/*/model.safetensors /tmp/trained-hubert/speech_tokenizer/*/*.safetensors; do
  [ -f "$weights" ] && cp "$weights" "$out/$(basename "$(dirname "$weights")")-$(basename "$weights")"
done
ls -l "$out"
