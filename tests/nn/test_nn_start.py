"""Weights of layers: drawn again, and empty on the meta device; products of float16."""

import pytest
import torch
from torch import nn

from hopfield import Entmax, KSubsets, Normmax, Softmax, Sparsemax, TopK
from hopfield.errors import HopfieldError
from hopfield.nn import (
    DenseMemoryClassifier,
    EnergyTransformerBlock,
    HopfieldAssociation,
    HopfieldDecoderLayer,
    HopfieldEncoderLayer,
    HopfieldLookup,
    HopfieldPooling,
    Iteration,
    MultiheadHopfield,
    ProductKeyLookup,
    Projections,
    functional,
)
from nn_layers import DIM, draw, learned, seeded

BETA, ALPHA, FIXED = learned(0.5), learned(1.4), torch.tensor([0.3, 0.6])
NORMED = Projections(query=nn.Sequential(nn.LayerNorm(DIM), nn.Identity()))

LAYERS = {
    "association": lambda: HopfieldAssociation(DIM, 2, Entmax(ALPHA, BETA)),
    "fixed beta": lambda: HopfieldAssociation(DIM, 2, Softmax(FIXED), projections=NORMED),
    "one beta": lambda: HopfieldAssociation(DIM, 2, Softmax(learned_number())),
    "pooling": lambda: HopfieldPooling(HopfieldAssociation(DIM, 2), 3),
    "lookup": lambda: HopfieldLookup(HopfieldAssociation(DIM, 2), 4),
    "lookup without values": lambda: HopfieldLookup(HopfieldAssociation(DIM, 2), 4, values=False),
    "dense memory": lambda: DenseMemoryClassifier(DIM, 3, 6),
    "energy transformer": lambda: EnergyTransformerBlock(DIM, 2, 6),
    "product keys": lambda: ProductKeyLookup(DIM, 9, 2, 4),
    "drop-in": lambda: MultiheadHopfield(DIM, 2, add_bias_kv=True, separation="entmax", beta=BETA),
    "encoder": lambda: HopfieldEncoderLayer(DIM, 2, 16, beta=FIXED),
    "decoder": lambda: HopfieldDecoderLayer(DIM, 2, 16, steps=2),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def learned_number() -> torch.Tensor:
    return torch.tensor(0.7, device="cpu", requires_grad=True)


@every_layer
def test_weights_on_no_device_are_drawn_when_they_are_on_one(make):
    with torch.device("meta"):
        layer = make()
    layer.to_empty(device="cpu")
    for tensor in layer.state_dict().values():
        tensor.fill_(torch.nan)

    def drawn():
        layer.reset_parameters()
        return layer

    assert seeded(drawn) is layer
    for name, tensor in layer.state_dict().items():
        assert tensor.isfinite().all(), name
    for parameter in layer.parameters():
        assert parameter.ndim, "fully_shard takes no scalar"
    direct = seeded(make).state_dict()
    torch.testing.assert_close(dict(layer.state_dict()), dict(direct))  # the same seed


PLACED = {
    "association": lambda **how: HopfieldAssociation(DIM, 2, Entmax(ALPHA, BETA), **how),
    "pooling": lambda **how: HopfieldPooling(HopfieldAssociation(DIM, 2, **how), 3),
    "rows": lambda **how: HopfieldPooling(
        HopfieldAssociation(DIM, 2, **how), draw(3, DIM), dtype=how["dtype"], device="cpu"
    ),
    "lookup": lambda **how: HopfieldLookup(HopfieldAssociation(DIM, 2, Softmax(FIXED), **how), 4),
    "lookup of its own": lambda **how: HopfieldLookup(HopfieldAssociation(DIM, 2), 4, **how),
    "dense memory": lambda **how: DenseMemoryClassifier(DIM, 3, 6, **how),
    "energy transformer": lambda **how: EnergyTransformerBlock(DIM, 2, 6, **how),
    "product keys": lambda **how: ProductKeyLookup(DIM, 9, 2, 4, Softmax(BETA), **how),
    "drop-in": lambda **how: MultiheadHopfield(DIM, 2, beta=BETA, **how),
    "encoder": lambda **how: HopfieldEncoderLayer(DIM, 2, 16, beta=FIXED, **how),
}


@pytest.mark.parametrize("name", PLACED)
def test_device_and_dtype_of_all_weights(name):
    def placed(**how):
        layer = seeded(lambda: PLACED[name](**how))
        inside = {
            key: one for key, one in layer.state_dict().items()
            if name != "lookup of its own" or "association" not in key
        }  # fmt: skip
        assert inside, "premise: there are weights"
        return {(one.device.type, one.dtype) for one in inside.values()}

    assert placed(dtype=torch.float64) == {("cpu", torch.float64)}
    assert placed(dtype=torch.bfloat16, device=torch.device("cpu")) == {("cpu", torch.bfloat16)}
    if name != "rows":
        assert placed(device="meta", dtype=None) == {("meta", torch.float32)}


def test_projections_keep_their_device_and_dtype():
    given = Projections(query=seeded(lambda: nn.Linear(DIM, DIM, dtype=torch.float64)))
    layer = seeded(lambda: HopfieldAssociation(DIM, projections=given, device="meta"))
    assert layer.query.weight.dtype == torch.float64 and layer.query.weight.device.type == "cpu"
    assert layer.key.weight.is_meta


@pytest.mark.parametrize(
    ("how", "says"),
    [({"device": "warp"}, "device must be a device of torch.*'warp'"),
     ({"device": 2.5}, "device must be"),
     ({"dtype": torch.int64}, "dtype must be torch.float16.*int64"),
     ({"dtype": "float32"}, "dtype must be")],
)  # fmt: skip
def test_other_devices_and_dtypes_are_refused(how, says):
    for make in (
        lambda: HopfieldAssociation(DIM, **how),
        lambda: HopfieldPooling(HopfieldAssociation(DIM), **how),
        lambda: HopfieldLookup(HopfieldAssociation(DIM), 3, **how),
        lambda: DenseMemoryClassifier(DIM, 3, 6, **how),
        lambda: EnergyTransformerBlock(DIM, 2, 6, **how),
        lambda: ProductKeyLookup(DIM, 36, **how),
    ):
        with pytest.raises(HopfieldError, match=says):
            seeded(make)


def test_beta_and_alpha_return_to_what_was_given():
    layer = seeded(LAYERS["association"])
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(9.0)
    seeded(lambda: layer.reset_parameters())
    scaled = layer.separation()
    torch.testing.assert_close(scaled.beta.squeeze(-1), BETA)
    torch.testing.assert_close(scaled.unit.alpha.squeeze(-1), ALPHA)


SEPARATIONS = {
    "softmax": Softmax(0.5),
    "sparsemax": Sparsemax(0.5),
    "entmax": Entmax(1.5, 0.5),
    "entmax of another α": Entmax(1.3, 0.5),
    "top-k": TopK(2, 0.5),
    "normmax": Normmax(beta=0.5),
    "k-subsets": KSubsets(2, beta=0.5),
}


@pytest.mark.parametrize("separation", SEPARATIONS.values(), ids=SEPARATIONS)
@pytest.mark.parametrize("autocast", [False, True])
def test_scores_beyond_float16_are_finite(separation, autocast):
    """Entries of 200 have products near 320 000, where float16 ends at 65 504."""
    state, stored = (200 * draw(1, rows, DIM, seed=rows).sign() for rows in (4, 5))
    stored[:, 0] = state[:, 0]
    iteration = Iteration(2)
    expected = functional.describe(state, stored, separation=separation, iteration=iteration)
    if not autocast:
        state, stored = state.half(), stored.half()
    given = [rows.requires_grad_() for rows in (state, stored)]
    with torch.autocast("cpu", dtype=torch.float16, enabled=autocast):
        found = functional.describe(*given, separation=separation, iteration=iteration)
        output = functional.association(*given, separation=separation, iteration=iteration)
    torch.testing.assert_close(found.weights.float(), expected.weights, rtol=0, atol=1e-3)
    for one in (found.output, output):
        torch.testing.assert_close(one.float(), expected.output, rtol=2e-3, atol=1e-3)
    assert found.energies.isfinite().all()
    if autocast and not isinstance(separation, Softmax):  # torch's attention overflows backward
        slopes = torch.autograd.grad(1e-4 * output.float().sum(), given)
        assert all(slope.isfinite().all() for slope in slopes)


@pytest.mark.parametrize("separation", SEPARATIONS.values(), ids=SEPARATIONS)
def test_scores_of_bfloat16_are_not_rounded(separation):
    given = [2 * draw(2, rows, 64, seed=rows).bfloat16() for rows in (40, 30)]
    exact = functional.association(*(rows.double() for rows in given), separation=separation)
    output = functional.association(*given, separation=separation).double()
    eps = torch.finfo(torch.bfloat16).eps  # the outputs alone are rounded
    assert (output - exact).norm() < eps * exact.norm()


@pytest.mark.parametrize("make", [LAYERS["energy transformer"], LAYERS["dense memory"]])
@pytest.mark.parametrize("autocast", [False, True])
def test_energies_beyond_float16_are_those_of_float32(make, autocast):
    """Squares of entries of 1 000, and scores of weights of 100, exceed float16."""
    layer, rows = seeded(make), 1000 * draw(2, 5, DIM)
    with torch.no_grad():
        layer.memories.mul_(100)
    energy = getattr(layer, "energy", layer)
    assert (rows @ layer.memories.T).abs().max() > torch.finfo(torch.float16).max, "premise"
    expected, output = energy(rows), layer(rows)
    if not autocast:
        layer, rows = layer.half(), rows.half()
    with torch.autocast("cpu", dtype=torch.float16, enabled=autocast):
        found = energy(rows)
        result = layer(rows)
    if energy is layer and not autocast:  # logits of a half layer are half
        expected = expected.half().float()
    torch.testing.assert_close(found.float(), expected, rtol=5e-3, atol=0.5)
    if energy is not layer:
        torch.testing.assert_close(
            result.float(), output, rtol=1e-2, atol=1e-2 * output.abs().max().item()
        )
