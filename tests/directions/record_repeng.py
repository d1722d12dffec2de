"""Record a control vector as `repeng` writes it (through the package `gguf`): the oracle of `test_gguf.py`.

    python -m venv oracle && oracle/bin/pip install torch "transformers<5" repeng==0.4.0
    oracle/bin/python tests/directions/record_repeng.py tests/directions/repeng.gguf

Given a second path, of a file that `to_gguf` wrote, it prints what repeng reads in that.
"""

import sys

import numpy as np

np.float_ = np.float64  # ty: ignore[unresolved-attribute] - repeng 0.4 asks for the name that NumPy 2 dropped

from repeng import ControlVector  # noqa: E402 - needs the line above

VECTORS = {2: [0.5, -1.25, 3.0], 1: [1e-3, 0.1, -7.0]}
"""By layer, in the order in which they are written."""


def main(path, other=None):
    made = ControlVector("tiny", {layer: np.array(vector, dtype=np.float32) for layer, vector in VECTORS.items()})
    made.export_gguf(path)
    if other is not None:
        read = ControlVector.import_gguf(other)
        vectors = {layer: vector.tolist() for layer, vector in read.directions.items()}
        print(read.model_type, vectors)  # noqa: T201 - a script


if __name__ == "__main__":
    main(*sys.argv[1:])
