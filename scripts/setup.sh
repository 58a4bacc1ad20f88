#!/usr/bin/env bash
# Create a virtual environment and install projhead with one extra, at the tested versions.
#   scripts/setup.sh VENV EXTRA
set -euo pipefail
venv=$1 extra=$2
python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || python=python3
"$python" -c 'import sys; assert sys.version_info >= (3, 11), f"projhead needs Python 3.11 or newer, got {sys.version}"'
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

torch=$(grep '^torch==' constraints.txt)
if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
  if command -v nvidia-smi >/dev/null; then
    pip install "$torch" -c constraints.txt
  else
    # The default wheel carries several GB of CUDA. A machine without a GPU takes the CPU build: from
    # pip's own indexes where one of them has it, else through uv, which knows where PyTorch keeps it.
    pip install "$torch+cpu" 2>/dev/null \
      || { pip install uv && "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --torch-backend=cpu "$torch"; } \
      || pip install "$torch" -c constraints.txt
  fi
fi
pip install -e ".[$extra]" -c constraints.txt
