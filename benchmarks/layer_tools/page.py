"""Make docs/layer_tools.md from the records."""

from pathlib import Path
from typing import Any

from hopfield.experiments import records

from .cases import CASES, FIRST, OTHER
from .ways import ALLOWED, WAYS

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "benchmarks" / "results" / "layer-tools.jsonl"
PAGE = ROOT / "docs" / "layer_tools.md"

TEXT = """# Layers under the tools of torch

`python -m benchmarks.layer_tools` calls each layer in each way and compares the result with the plain call; it wrote this page from [its records](../benchmarks/results/layer-tools.jsonl), with torch {torch}.

A number is the largest difference in float32, relative to the largest entry; rounding is below {allowed:g}. Layers are compiled and exported with batch {first[batch]}, {first[m]} states and {first[n]} patterns, all of them open, and called with {other[batch]}, {other[m]} and {other[n]}.

{table}

- **eager**: a batch against its entries one by one. **compile**: `torch.compile(fullgraph=True, dynamic=True)`, outputs and gradients. **export**: `torch.export.export` with open sizes. **ONNX**: the export, written by `torch.onnx.export` and run by onnxruntime. **vmap**, **grad** and **jvp**: those of `torch.func`, by all weights for the last two.
- Top-k takes more than k patterns in an export: `Dim("n", min=k + 1)`.
- Masks are given by keyword. `torch.export.export(layer, (state, stored), {{"padding_mask": mask}}, dynamic_shapes={{"state": …, "stored": …, "padding_mask": …}})` names the open axes of each.
{missing}"""  # noqa: E501


def cells() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the last record of each layer and way."""
    return {(line["layer"], line["way"]): line for line in records.read(RECORDS)[1]}


def _cell(record: dict[str, Any] | None) -> str:
    if record is None:
        return "not tried"
    return f"{record['difference']:.0e}" if "difference" in record else record["error"]


def text() -> str:
    """Return the page."""
    known, head = cells(), records.read(RECORDS)[0]
    tried = [way for way in WAYS if any(way == other for _, other in known)]
    lines = [f"| layer | {' | '.join(tried)} |", "|---" * (len(tried) + 1) + "|"]
    for name in CASES:
        row = (_cell(known.get((name, way))) for way in tried)
        lines.append(f"| {name} | {' | '.join(row)} |")
    left = [way for way in WAYS if way not in tried]
    missing = f"- Not tried in this record: {', '.join(left)}.\n" if left else ""
    return TEXT.format(torch=head["torch"], allowed=ALLOWED, first=FIRST, other=OTHER,
                       table="\n".join(lines), missing=missing)  # fmt: skip


def write() -> None:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")
