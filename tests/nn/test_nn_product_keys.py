"""Lookups by product keys: against the lookup of all memories, whose keys are written out."""

import pytest
import torch

from hopfield import Entmax, Softmax, Sparsemax, TopK
from hopfield.errors import HopfieldError
from hopfield.nn import HopfieldAssociation, HopfieldLookup, ProductKeyLookup, Projections
from hopfield.nn.product_keys import _best_pairs
from largest import Largest
from nn_layers import draw, learned, seeded

DIM, N = 8, 36
STATES = 2 * draw(3, 5, DIM, seed=3).double()


def lookup(heads=2, k=4, separation="softmax", **options) -> ProductKeyLookup:
    return seeded(lambda: ProductKeyLookup(DIM, N, heads, k, separation, **options)).double()


def of_one_head(layer: ProductKeyLookup, head: int, separation: object) -> HopfieldLookup:
    """Return the lookup of all n memories with the keys of one head."""
    width = DIM // layer.heads
    query = torch.nn.Linear(DIM, width).double()
    with torch.no_grad():
        rows = slice(head * width, (head + 1) * width)
        query.weight.copy_(layer.query.weight[rows])
        query.bias.copy_(layer.query.bias[rows])
    plain = torch.nn.Identity()
    given = Projections(query=query, key=plain, value=plain, out=plain)
    association = HopfieldAssociation(None, 1, separation, projections=given)
    return HopfieldLookup(association, layer.expanded_keys()[head], layer.values.weight.detach())


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("k", [1, 4, 6, 7, 20, N])
def test_the_k_best_of_all_are_read(heads, k):
    beta = (DIM // heads) ** -0.5
    layer = lookup(heads, k)
    separation = Softmax(beta) if k == N else TopK(k, beta)
    whole = seeded(lambda: [of_one_head(layer, head, separation) for head in range(heads)])
    expected = sum(one(STATES) for one in whole)
    torch.testing.assert_close(layer(STATES), expected, rtol=0, atol=1e-12)
    found = layer.nearest(STATES)
    assert found.index.shape == found.weight.shape == (3, 5, heads, k)
    for head, one in enumerate(whole):
        weights = one.describe(STATES).weights[:, 0]
        index, weight = found.index[:, :, head], found.weight[:, :, head]
        torch.testing.assert_close(weights.gather(-1, index), weight)
        assert bool((weight.diff(dim=-1) <= 0).all()), "the best come first"


@pytest.mark.parametrize(
    "separation", [Sparsemax(4.0), Entmax(1.5, 4.0), Softmax(200.0)], ids=lambda s: type(s).__name__
)
def test_weights_of_few_memories_are_those_of_a_lookup_of_all(separation):
    """A separation that gives at most k memories a weight loses nothing by the choice of k."""
    layer = lookup(1, 9, separation)
    whole = seeded(lambda: of_one_head(layer, 0, separation))
    counts = (whole.describe(STATES).weights > 1e-17).sum(-1)
    assert 1 < counts.max() <= 9, "premise"
    torch.testing.assert_close(layer(STATES), whole(STATES), rtol=0, atol=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_the_best_sums_are_those_of_all_pairs(ties):
    for m in (1, 2, 5, 8):
        scores = draw(2, 40, m, seed=m)
        scores = scores.round() if ties else scores
        sums = (scores[0][:, :, None] + scores[1][:, None]).flatten(1)
        for k in range(1, m * m + 1):
            index, best = _best_pairs(scores, k)
            torch.testing.assert_close(best, sums.topk(k).values)
            torch.testing.assert_close(sums.gather(-1, index), best)
            assert all(len(set(row)) == k for row in index.tolist()), "none is read twice"


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients(sparse):
    layer = lookup(2, 5, Entmax(learned(1.5), learned(2.0)), sparse=sparse)
    dense = lookup(2, 5, Entmax(learned(1.5), learned(2.0)))
    names, weights = zip(*layer.named_parameters(), strict=True)
    output = layer(STATES)
    seed = draw(*output.shape, seed=4)
    slopes = torch.autograd.grad((output * seed).sum(), weights, retain_graph=True)
    again = torch.autograd.grad((output * seed).sum(), weights)
    expected = torch.autograd.grad((dense(STATES) * seed).sum(), list(dense.parameters()))
    for name, slope, twice, other in zip(names, slopes, again, expected, strict=True):
        assert slope.is_sparse == (sparse and name == "values.weight")
        torch.testing.assert_close(slope.to_dense(), other)
        torch.testing.assert_close(slope.to_dense(), twice.to_dense())


def test_first_and_second_gradients_are_differences():
    layer = lookup(2, 5)
    names = [name for name, _ in layer.named_parameters()]

    def call(state, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (state,))

    given = [STATES[0, :2], *layer.parameters()]
    given = [one.detach().clone().requires_grad_() for one in given]
    assert torch.autograd.gradcheck(call, given)
    with torch.random.fork_rng(devices=[]):
        assert torch.autograd.gradgradcheck(call, given)


def test_a_step_of_training_makes_nothing_as_large_as_the_memories():
    layer = seeded(lambda: ProductKeyLookup(DIM, 300**2, 2, 4, sparse=True))
    keep = layer.values.weight.detach().clone()
    with Largest(layer.values.weight) as largest:
        layer(STATES.float()).square().sum().backward()
    assert 0 < largest.numel < layer.values.weight.numel() / 32
    torch.optim.SGD(layer.values.parameters(), 0.1).step()
    changed = (layer.values.weight != keep).any(-1).nonzero()[:, 0]
    assert torch.equal(changed, layer.nearest(STATES.float()).index.unique())


def test_sparse_gradients_train_with_sparse_adam():
    layer = seeded(lambda: ProductKeyLookup(DIM, 16, 1, 4, sparse=True))
    targets, state = draw(15, DIM, seed=9), STATES.float().flatten(0, 1)
    rest = [weight for name, weight in layer.named_parameters() if name != "values.weight"]
    optimizers = (
        torch.optim.SparseAdam(layer.values.parameters(), 0.05),
        torch.optim.Adam(rest, 0.05),
    )
    losses = []
    for _ in range(60):
        loss = (layer(state) - targets).square().mean()
        losses.append(loss.item())
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert losses[-1] < 0.5 * losses[0]


def test_a_batch_norm_in_the_query_reads_all_states():
    layer = lookup()
    norm = torch.nn.BatchNorm1d(DIM, dtype=torch.float64)
    layer.query = torch.nn.Sequential(layer.query, norm)
    expected = layer(STATES.flatten(0, 1)).unflatten(0, STATES.shape[:2])
    torch.testing.assert_close(layer(STATES), expected)


@pytest.mark.parametrize("shape", [(DIM,), (0, DIM), (2, 0, DIM), (2, 1, 3, DIM)], ids=str)
def test_states_of_every_shape(shape):
    layer, states = lookup(), draw(*shape).double()
    assert layer(states).shape == shape
    assert layer.nearest(states).weight.shape == (*shape[:-1], 2, 4)


WRONG = {
    "no square": (lambda: ProductKeyLookup(8, 1000), "memories must be a square.*Use 961 or 1024"),
    "halves": (lambda: ProductKeyLookup(6, 9, 2), "dim=6 must be a multiple of 2 · heads=4"),
    "more than all": (lambda: ProductKeyLookup(8, 9, k=10), "k must be"),
    "width": (lambda: lookup()(STATES[..., :3]), r"state must have shape \(\*batch, 8\)"),
    "dtype": (lambda: lookup()(STATES.float()), "state must be float64"),
    "nothing": (lambda: lookup()(STATES[0, 0, 0]), "state must have shape"),
    "sparse": (lambda: lookup(sparse=1), "sparse must be"),
}


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_mistakes_are_refused(call, says):
    with pytest.raises(HopfieldError, match=says):
        call()
