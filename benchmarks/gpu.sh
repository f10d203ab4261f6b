#!/usr/bin/env bash
# All that a GPU is needed for, in one call: tests of the engine, then training and evaluation beside the peer in the
# shape of mBERT-base, memory of a large cycle, and bf16 beside fp32. Needs the package with its extras test and bench, and the data sets that training.py and
# evaluation.py name. With --tables first it prints the tables alone, as results.py wants them. Other arguments go to
# both benchmarks.
#
# Run: bash benchmarks/gpu.sh [--tables] [--data FOLDER] [--times N]
set -euo pipefail
cd "$(dirname "$0")/.."
export CUBLAS_WORKSPACE_CONFIG=:4096:8

if [[ "${1:-}" == --tables ]]; then
  shift
else
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
  python -m pytest -q -n 0 tests/engine/test_cuda.py
fi

shape=(--device cuda --layers 12 --hidden 768 --times 5)
for precision in bf16 fp32; do
  python benchmarks/training.py "${shape[@]}" --precision "$precision" --rows 4 --seeds 5 "$@"
  echo
  python benchmarks/evaluation.py "${shape[@]}" --precision "$precision" "$@"
  echo
done
for graphs in off on; do
  python benchmarks/training.py "${shape[@]}" --precision bf16 --cuda-graphs "$graphs" --rows 4 --seeds 16 \
    --case NLI --case NER "$@"
  echo
done
python benchmarks/training.py "${shape[@]}" --precision bf16 --cuda-graphs on --rows 4 --seeds 5 "$@"
echo
python benchmarks/bank.py --device cuda
echo
python benchmarks/precision.py --device cuda
