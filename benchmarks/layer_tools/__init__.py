"""Layers under the tools of torch: compile, export, ONNX and the transforms of torch.func."""
