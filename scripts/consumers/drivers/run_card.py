"""Plain ONNX Runtime or OpenVINO and tokenizers, as the card of the export shows it."""

import re
from pathlib import Path

from common import finish, folder, form, texts

snippet = re.search(r"```python\n(.*?)```", (Path(folder) / "README.md").read_text(), re.DOTALL)[1]
exec(re.sub(r"^(folder|texts) = .*$", "", snippet, flags=re.M), given := {"folder": folder, "texts": texts})
finish(given["rows"], "openvino" if form == "openvino" else "onnxruntime")
