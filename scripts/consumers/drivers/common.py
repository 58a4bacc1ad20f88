"""What every driver is given and leaves: a folder, texts, the form; rows and the version that made them."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

folder, form = sys.argv[1], sys.argv[2]
out = Path(sys.argv[3])
texts = json.loads(Path(sys.argv[4]).read_text())
backend = {} if form in ("modules", "table") else {"backend": form}
if form == "openvino":  # computes in bfloat16 by itself where the processor has it
    backend["model_kwargs"] = {"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}}


def finish(rows, package):
    np.save(out, np.asarray(rows, np.float32))
    print(json.dumps({"version": version(package)}))
