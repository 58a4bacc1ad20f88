#!/usr/bin/env bash
# One command for a machine with an NVIDIA GPU: install, train, encode, export, measure; leaves one file of result rows.
#   scripts/gpu/run.sh [FOLDER] [TEXTS]     FOLDER: gpu; TEXTS: a file that corpus=file reads, docstrings where not given
# It has not run on a GPU yet. What a machine cannot do is left out, and named in FOLDER/left_out.txt.
set -euo pipefail
folder=${1:-gpu} texts=${2:-}
cd "$(dirname "$0")/../.."
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv || { echo "expected an NVIDIA GPU, got none"; exit 1; }
mkdir -p "$folder"
bash scripts/setup.sh "$folder/venv" demo
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
pip uninstall -y onnxruntime && pip install onnxruntime-gpu tensorrt kernels  # the two share a folder: one or the other
projhead="$folder/venv/bin/projhead"
corpus=(corpus=docstrings)
[ -z "$texts" ] || corpus=(corpus=file "corpus.path=$texts")

"$projhead" train "${corpus[@]}" encoder.device=cuda n_components=64 "paths.root=$folder" "run_dir=$folder/run"
"$projhead" encode "${corpus[@]}" encoder.device=cuda encoder.compute_dtype=float16 "artifact=$folder/run/artifact" "out=$folder/store"
for quantization in float32 float16; do
  "$projhead" export "${corpus[@]}" "artifact=$folder/run/artifact" export=onnx "export.quantization=$quantization" \
    "out=$folder/onnx_$quantization" "run_dir=$folder/export_$quantization"
done
"$projhead" export "${corpus[@]}" "artifact=$folder/run/artifact" export=sentence_transformers "out=$folder/student" \
  "run_dir=$folder/export_student"
"$folder/venv/bin/python" scripts/gpu/measure.py "$folder" ${texts:+--texts "$texts"}
"$projhead" report "results=[$folder/run/results.jsonl,$folder/results.jsonl]" "out=$folder/report"
