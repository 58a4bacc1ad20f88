"""An ONNX graph with its weights beside it.

A message of protobuf, which an ONNX file is, holds 2 GiB. Weights that stay apart have no such limit, are not copied
when a graph is, and go into a file of their own ("external data", as ONNX calls it) where they are too large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: What one ONNX file may hold, in bytes: protobuf's 2 GiB less some room.
MOST_BYTES = 2_000_000_000
#: Tensors of fewer bytes stay in the graph: shapes, axes, norms.
SMALL = 4096
#: Where tensors begin in a file of weights, so that every system can map them.
_ALIGNMENT = 65_536
_APART = "weights"


class Network:
    """A graph whose large tensors are in a dictionary.

    Attributes
    ----------
    model : onnx.ModelProto
        Its large initializers have names, types and shapes, and no content.
    weights : dict of str to ndarray
        That content, by name.
    shapes : dict of str to tuple of (int or str)
        What is known of the shapes of activations; kept while the graph is changed.
    """

    def __init__(self, model: Any, weights: dict[str, Array], shapes: dict[str, tuple[int | str, ...]]) -> None:
        self.model, self.weights, self.shapes = model, weights, shapes

    @classmethod
    def of(cls, model: Any, weights: dict[str, Array] | None = None) -> Network:
        """Take large tensors out of an onnx.ModelProto, which is changed, beside those that are out already."""
        from onnx import numpy_helper

        found = dict(weights or {})
        tensors = list(model.graph.initializer)
        for tensor in tensors:
            if tensor.name not in found and _bytes(tensor) >= SMALL:
                found[tensor.name] = numpy_helper.to_array(tensor)
        network = cls(model, found, _shapes(model))
        del model.graph.initializer[:]
        model.graph.initializer.extend(
            apart(tensor.name, found[tensor.name]) if tensor.name in found else tensor for tensor in tensors
        )
        return network

    def copy(self) -> Network:
        """Return a graph to change; the weights are shared."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return Network(model, dict(self.weights), dict(self.shapes))

    def become(self, model: Any) -> Network:
        """Return what others made of this graph, an onnx.ModelProto with the same names."""
        found = Network.of(model)
        found.shapes = self.shapes | found.shapes
        return found

    def whole(self) -> Any:
        """Return an onnx.ModelProto with the weights inside, which may be too large for a file."""
        model = self.copy().model
        for tensor in model.graph.initializer:
            if tensor.name in self.weights:
                _fill(tensor, np.ascontiguousarray(self.weights[tensor.name]).tobytes())
        return model

    def constants(self) -> dict[str, Array]:
        """Return the content of all initializers, by name."""
        from onnx import numpy_helper

        return self.weights | {
            one.name: numpy_helper.to_array(one) for one in self.model.graph.initializer if one.name not in self.weights
        }

    def session(self, outputs: Sequence[str] = ()) -> Any:
        """Return an onnxruntime.InferenceSession on a CPU that gives activations too, by their names."""
        import onnx
        import onnxruntime

        watched = self.copy().model
        watched.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        kept = {name: np.ascontiguousarray(value) for name, value in self.weights.items()}
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in kept.values()]
        options.add_external_initializers(list(kept), values)
        session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
        session.kept = kept  # it reads their memory
        return session

    @property
    def bytes(self) -> int:
        """Bytes of a file with everything in it, about."""
        return int(self.model.ByteSize()) + sum(value.nbytes for value in self.weights.values())

    def write(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Write a file; where it would be larger than `most_bytes`, weights go into ``<its name>_data`` beside it."""
        if self.bytes <= most_bytes:
            path.write_bytes(self.whole().SerializeToString())
            return
        model = self.copy().model
        with path.with_name(f"{path.name}_data").open("wb") as file:
            for tensor in model.graph.initializer:
                if tensor.name not in self.weights:
                    continue
                value = np.ascontiguousarray(self.weights[tensor.name])
                file.seek(-file.tell() % _ALIGNMENT, 1)
                place = {"location": Path(file.name).name, "offset": file.tell(), "length": value.nbytes}
                tensor.CopyFrom(apart(tensor.name, value, **place))
                file.write(value.reshape(-1).view(np.uint8).data)  # which, unlike `tofile`, tells of a full disk
        path.write_bytes(model.SerializeToString())


def apart(name: str, value: Array, **place: Any) -> Any:
    """Return an onnx.TensorProto of a value that is kept elsewhere."""
    from onnx import TensorProto, helper

    tensor = TensorProto(
        name=name,
        dims=value.shape,
        data_type=helper.np_dtype_to_tensor_dtype(value.dtype),
        data_location=TensorProto.EXTERNAL,
    )
    for key, said in (place or {"location": _APART}).items():
        tensor.external_data.add(key=key, value=str(said))
    return tensor


def _fill(tensor: Any, content: bytes) -> None:
    tensor.ClearField("data_location")
    del tensor.external_data[:]
    tensor.raw_data = content


def _bytes(tensor: Any) -> int:
    """Return the bytes of a tensor's content, which protobuf does not tell of one of 2 GiB."""
    from onnx import helper

    size: int = math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return size


def _shapes(model: Any) -> dict[str, tuple[int | str, ...]]:
    """Return the shapes that a graph tells, free axes by their names."""
    graph = model.graph
    told = [*graph.input, *graph.output, *graph.value_info]
    return {
        one.name: tuple(axis.dim_param or axis.dim_value for axis in one.type.tensor_type.shape.dim)
        for one in told
        if one.type.tensor_type.HasField("shape")
    }


def used(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """Return the nodes that outputs depend on."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
            for attribute in node.attribute:
                wanted |= {name for one in attribute.g.node for name in one.input}
    return kept[::-1]


def copied(node: Any, inputs: list[str], output: str) -> Any:
    """Return a node of one output again, of other inputs and under another name."""
    import onnx

    again = onnx.NodeProto()
    again.CopyFrom(node)
    again.input[:], again.output[:], again.name = inputs, [output], f"{output}_{node.op_type}"
    return again
