"""Compiles every layer as one graph, and prints how far that is from the layer itself.

The backend `aot_eager` captures the graph, forward and backward, and leaves out the writing of C++.
"""

import torch

from nn_layers import CASES, seeded, slopes

for name, case in CASES.items():
    layer = seeded(case.make)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    pairs = zip(slopes(case, layer), slopes(case, layer, compiled), strict=True)
    print(name, max((one - other).abs().max().item() for one, other in pairs))
