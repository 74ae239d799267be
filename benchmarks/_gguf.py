"""A GGUF file written again in another precision: so llama.cpp can be given the numbers that Bedside computes with."""

from pathlib import Path

import gguf
from gguf.quants import dequantize, quantize

__all__ = ["rewritten"]


def rewritten(source: Path, target: Path, kind: str) -> Path:
    """`target`, with the tensors of `source` as `F32` or `Q8_0` and everything else as it was.

    Tensors of one dimension (norms) are single precision in each, as llama.cpp wants them. From a quantised source the
    numbers of `F32` are exactly what it unpacks to.
    """
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        of = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=of)
    for tensor in reader.tensors:
        dense = dequantize(tensor.data, tensor.tensor_type)
        wanted = gguf.GGMLQuantizationType[kind if dense.ndim > 1 else "F32"]
        writer.add_tensor(tensor.name, quantize(dense, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
