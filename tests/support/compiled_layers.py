"""Compiles every layer as one graph of open sizes; prints how far its results are from its own.

The backend `aot_eager` captures the graph, forward and backward, without writing C++.
"""

import torch

from nn_layers import COMPILED, output_and_gradients, seeded

for name, case in COMPILED.items():
    layer = seeded(case.make)
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    pairs = zip(
        output_and_gradients(case, layer), output_and_gradients(case, layer, compiled), strict=True
    )
    print(name, max((one - other).abs().max().item() for one, other in pairs))
