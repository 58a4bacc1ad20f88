"""ONNX Runtime's own quantizers, for comparison and for smaller files.

Their operators are ONNX Runtime's (domain com.microsoft) or are replaced by those when a model is loaded. The scheme is
that of Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018.

References
----------
- https://arxiv.org/abs/1712.05877
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from projhead.console.quiet import quiet
from projhead.quantization.network import MOST_BYTES, Network
from projhead.quantization.tables import tables_in_int8

#: Weights of a column that share a scale, of 4 or 8 bits.
_BLOCK = 32
#: MatMulNBits computes with activations in int8, scales by block.
_INT8_ACTIVATIONS = 4


def quantize_dynamic(network: Network) -> Network:
    """Return `network` as ``quantize_dynamic`` makes it: weights by column in 7 bits, one scale for all of a batch.

    So a text's row depends a little on what else is in its batch. Nothing is calibrated.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory() as temporary:
        given, path = (Path(temporary) / name for name in ("given.onnx", "model.onnx"))
        network.write(given)
        large = network.bytes > MOST_BYTES
        with quiet("root"):
            # Weights in 7 bits: processors without VNNI add two products in 16 bits, which larger ones do not fit.
            quantize_dynamic(
                given, path, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
                use_external_data_format=large,
            )  # fmt: skip
        return network.become(onnx.load(path))


def quantize_weights(network: Network, bits: int) -> Network:
    """Return `network` with its matrices in 4 or 8 bits (MatMulNBits), token tables in int8, the rest in float.

    Nothing is calibrated. The file is small; a CPU is not much faster than in float32.
    """
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        network.whole(), bits=bits, block_size=_BLOCK, is_symmetric=True, accuracy_level=_INT8_ACTIVATIONS
    )
    quantizer.process()
    return tables_in_int8(network.become(quantizer.model.model))
