#!/usr/bin/env bash
# All that a GPU is needed for, in one call: tests of the engine, then training and evaluation beside the peer in the
# shape of mBERT-base. Needs the package with its extras test and bench, and the data sets that training.py names.
#
# Run: bash benchmarks/gpu.sh [--data FOLDER] [--times N]
set -euo pipefail
cd "$(dirname "$0")/.."
export CUBLAS_WORKSPACE_CONFIG=:4096:8

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
python -m pytest -q -n 0 tests/engine/test_cuda.py

shape=(--device cuda --layers 12 --hidden 768 --times 5)
for precision in bf16 fp32; do
  python benchmarks/training.py "${shape[@]}" --precision "$precision" --rows 4 --seeds 5 "$@"
done
python benchmarks/training.py "${shape[@]}" --precision bf16 --rows 4 --seeds 16 --case NLI --case NER "$@"
