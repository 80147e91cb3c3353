"""Masks that users bring to layers: of a tokenizer, and numbers that are added to the scores."""

import re

import pytest
import torch

from hopfield import Entmax, Softmax
from hopfield.errors import DomainError, InputTypeError
from hopfield.nn import (
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldPooling,
    Iteration,
    MultiheadHopfield,
    functional,
)
from nn_layers import draw, seeded

DIM, LENGTHS = 4, (3, 4)
TOKENIZER = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
BAGS = draw(2, 5, DIM, seed=1)

LAYERS = {
    "pooling": lambda: HopfieldPooling(HopfieldAssociation(DIM, 2), 2),
    "association": lambda: HopfieldAssociation(DIM, 2, "entmax", Iteration(2)),
    "energy transformer": lambda: EnergyTransformerBlock(DIM, 2, 6),
}


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float32])
@pytest.mark.parametrize("name", LAYERS)
def test_the_mask_of_a_tokenizer_is_refused_with_what_reads_the_tokens(name, dtype):
    """Its 1 means keep. `mask.bool()` would read the padding alone, without an error."""
    layer, mask = seeded(LAYERS[name]), TOKENIZER.to(dtype)
    advice = "If 1 means keep, as in the attention_mask of a tokenizer, use padding_mask == 0."
    with pytest.raises(ValueError, match=re.escape(advice)):
        layer(BAGS, padding_mask=mask)
    together = layer(BAGS, padding_mask=mask == 0)
    wrong = layer(BAGS, padding_mask=mask.bool())
    for bag, length in enumerate(LENGTHS):
        alone = layer(BAGS[bag : bag + 1, :length])[0]
        rows = slice(None) if name == "pooling" else slice(length)
        torch.testing.assert_close(together[bag, rows], alone)
        assert (wrong[bag, rows] - alone).abs().max() > 1e-3, "premise: the inverse shows"


RELATIVE = 0.5 * (torch.arange(5) - torch.arange(5)[:, None]).abs().neg()
"""Relative positions: finite numbers, none of them a hidden pattern."""


@pytest.mark.parametrize("bias", [RELATIVE, 0 * RELATIVE, RELATIVE.triu()], ids=["", "0", "half"])
@pytest.mark.parametrize("separation", [Softmax(0.7), Entmax(1.5, 0.7)], ids=["softmax", "entmax"])
def test_numbers_are_added_to_the_scores(separation, bias):
    """As in torch's attention; as bools they would hide every pattern, or all but one."""
    rows = BAGS[:, None]
    scores = 0.7 * rows @ rows.mT + bias
    unit = type(separation)(1.5) if isinstance(separation, Entmax) else Softmax()
    expected = unit(scores) @ rows
    found = functional.association(rows, rows, separation=separation, mask=bias)
    torch.testing.assert_close(found, expected)
    layer = seeded(lambda: HopfieldAssociation(DIM, 2, separation))
    weights = layer.describe(BAGS, association_mask=bias).weights
    if bias.any():
        assert (weights - layer.describe(BAGS).weights).abs().max() > 1e-3
    else:
        torch.testing.assert_close(weights, layer.describe(BAGS).weights)


def test_numbers_that_are_no_bias_are_refused():
    layer = seeded(lambda: HopfieldAssociation(DIM, 2))
    drop_in = seeded(lambda: MultiheadHopfield(DIM, 2, batch_first=True))
    keep = torch.ones(5, 5).tril()
    for mask in (keep, keep.long()):
        with pytest.raises(InputTypeError, match="association_mask == 0"):
            layer(BAGS, association_mask=mask)
    with pytest.raises(InputTypeError, match="attn_mask == 0"):
        drop_in(BAGS, BAGS, BAGS, attn_mask=keep.long())
    with pytest.raises(InputTypeError, match="key_padding_mask == 0"):
        drop_in(BAGS, BAGS, BAGS, key_padding_mask=TOKENIZER)
    for bad in (torch.nan, torch.inf):
        with pytest.raises(DomainError, match="finite numbers or −∞"):
            layer(BAGS, association_mask=RELATIVE.clone().fill_diagonal_(bad))
    with pytest.raises(InputTypeError, match="padding_mask < 0"):
        layer(BAGS, padding_mask=torch.zeros(2, 5).masked_fill(TOKENIZER == 0, -torch.inf))
