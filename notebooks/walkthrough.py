# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The walkthrough, step by step
#
# A well-known walkthrough shows three kinds of Hopfield network on images of digits. Each is given
# the upper half of an image and returns the whole. This notebook repeats it, and explains where its
# results come from: several of its conclusions follow from a mistake, not from the network.
#
# ```
# pip install '.[data,plots]'      # in a checkout of the library
# ```

# %%
import warnings

import matplotlib.pyplot as plt
import torch

import hopfield
from hopfield import corruption, data, plots, synthetic

plt.rcParams.update({"figure.figsize": (5, 3), "figure.constrained_layout.use": True})

# %% [markdown]
# ## Images
#
# The walkthrough takes 1000 images of MNIST. We take 1000 digits of scikit-learn, which need no
# download. For a binary network ink is +1 and paper −1.

# %%
digits = data.load("digits")
grey = digits.patterns[:1000]
binary = digits.binary()[:1000]


def show(rows, known=None, columns=(), shape=digits.shape):
    """Draw rows of images, in [0, 1] or ±1, with a label before each row."""
    levels = [(name, ((x - x.min()) / (x.max() - x.min()) * 255).tolist()) for name, x in rows]
    ax = plt.figure(figsize=(6, 0.7 * len(rows))).add_subplot()
    plots.pictures(levels, shape, known=known, columns=columns, ax=ax)
    plt.show()


show([("grey", grey[:10]), ("binary", binary[:10])])

# %% [markdown]
# ## The classical network
#
# W = XᵀX holds the patterns, and an update is the sign of Wz. The walkthrough maps ink to −1 with a
# function `binarize`, and uses the same function as the activation. The hidden half is set to ink.


# %%
def binarize(image):
    """Map ink to −1 and paper to 1, as the walkthrough does."""
    return torch.where(image > 0, -1.0, 1.0)


images = binarize(grey[:3])
cues = corruption.occlude_half(images, digits.shape, fill=-1.0).state
coupling = images.T @ images
show([("image", -images), ("cue", -cues), ("output", -binarize(cues @ coupling))])  # ink is dark

# %% [markdown]
# The outputs are negatives. The walkthrough explains this by the symmetry of the energy: E(−z) =
# E(z). But `binarize` returns −1 where its argument is positive: as an activation, it is the
# *negative* of the sign. With the sign, the same update returns no negative.

# %%
output = torch.where(cues @ coupling > 0, 1.0, -1.0)
show([("image", -images), ("cue", -cues), ("output", -output)])
print("nearer to the image than to its negative:", ((output * images).sum(dim=1) > 0).tolist())

# %% [markdown]
# ## Ten images
#
# The walkthrough finds that retrieval fails with ten images, "because the inputs are correlated".
# That is right, and can be measured: random patterns of the same number and size come back far more
# often, and a rule that removes the correlation, the pseudo-inverse, returns all ten images.

# %%
warnings.simplefilter("ignore", hopfield.CapacityWarning)  # Hebb's rule loses similar images


def returned(patterns, rule, fill=None):
    """Count the patterns that come back exactly from their upper half."""
    memory = hopfield.ClassicalHopfield(rule)
    memory.store(patterns)
    result = memory.retrieve(corruption.occlude_half(patterns, digits.shape, fill=fill))
    return (result.state == patterns).all(dim=1).sum().item()


ten = binary[:10]
print("images, Hebb:          ", returned(ten, "hebbian"), "of 10")
print("random, Hebb:          ", returned(synthetic.random_binary(10, 64), "hebbian"), "of 10")
print("images, pseudo-inverse:", returned(ten, "pseudo_inverse"), "of 10")

# %% [markdown]
# ## Hidden is not ink
#
# A hidden half that is filled with ink tells the network: there is ink. Many of these pixels are
# wrong, and the network believes them. In this library a cue says which pixels are *known*; the
# others do not count, and are completed. The same rule, with both masks:

# %%
for fill, name in ((1.0, "ink"), (None, "unknown")):
    print(f"pseudo-inverse, hidden half {name}: {returned(ten, 'pseudo_inverse', fill)} of 10")

# %% [markdown]
# ## The dense network
#
# Demircigil et al. (2017) replace W by the energy −β⁻¹ log Σ exp(βx·z). The walkthrough tries both
# values of every unit, in two loops, and divides the scores by 10 against overflow: the divisor is
# a β of 0.1. Its text gives the update as −sign(E⁺ + E⁻), which would always be +1; its code
# compares the two sums, which is right. `DenseHopfield` has the same update in closed form.


# %%
def unit_by_unit(z, patterns, beta):
    """Try both values of every unit, and keep the one with the larger sum of exponentials."""
    out = z.clone()
    for i in range(len(z)):
        plus, minus = z.clone(), z.clone()
        plus[i], minus[i] = 1.0, -1.0
        more = (beta * patterns @ plus).exp().sum() > (beta * patterns @ minus).exp().sum()
        out[i] = 1.0 if more else -1.0
    return out


beta = 0.1 * 784 / 64  # the walkthrough's, for images of 64 pixels
cues = corruption.occlude_half(ten, digits.shape, fill=1.0).state
memory = hopfield.DenseHopfield(beta)
memory.store(ten)
loops = torch.stack([unit_by_unit(z, ten.double(), beta) for z in cues[:3].double()])
print("equal to the loops:", memory.update(cues[:3]).equal(loops.float()))

# %% [markdown]
# The walkthrough concludes that correlated images limit this network too: with 100 stored, some are
# wrong. Count again with both masks. Most of the failures came from the ink.

# %%
sizes = (10, 30, 100, 300, 1000)
shares = {"hidden half is ink": [], "hidden half is unknown": []}
for n in sizes:
    memory = hopfield.DenseHopfield(beta)
    memory.store(binary[:n])
    for name, fill in zip(shares, (1.0, None), strict=True):
        cues = corruption.occlude_half(binary[:n], digits.shape, fill=fill)
        right = (memory.retrieve(cues).state == binary[:n]).all(dim=1)
        shares[name].append(right.float().mean().item())
for name, values in shares.items():
    plt.plot(sizes, values, "o-", label=name)
plt.gca().set(xscale="log", ylim=(0, 1.05), xlabel="images stored", ylabel="returned exactly")
plt.legend()
plt.show()

# %% [markdown]
# Why does the unknown half fail for some images? Pixels of 0 and 1 are few here, 8 × 8: among
# 1000 images some have the same upper half, and no network can tell these apart.

# %%
halves = corruption.occlude_half(binary, digits.shape).state
print("different upper halves of 1000 images:", len(halves.unique(dim=0)))

# %% [markdown]
# ## The continuous network
#
# Its update is z ← Xᵀ softmax(βXz). The walkthrough uses the dot product and β = 8, hidden pixels
# are 0, and with 1000 images several answers are wrong. It concludes that pulling apart correlated
# inputs "is still not perfect even in the modern continuous case".

# %%
cue = corruption.occlude_half(grey[:6], digits.shape)
answers = {}
for similarity in ("dot", "euclidean"):
    memory = hopfield.ModernHopfield(8.0, similarity=similarity)
    memory.store(grey)
    answers[similarity] = memory.retrieve(cue).state
known = cue.known.expand_as(cue.state).int().tolist()
rows = [("image", grey[:6]), ("cue", cue.state)]
show([*rows, ("dot product", answers["dot"]), ("distance", answers["euclidean"])], known)

# %% [markdown]
# The dot product prefers images with much ink, whatever they show. The distance over the known half
# does not. How often does the right image have the largest weight?

# %%
found = {"dot": [], "euclidean": []}
for n in sizes:
    cues = corruption.occlude_half(grey[:n], digits.shape)
    for similarity, values in found.items():
        memory = hopfield.ModernHopfield(8.0, similarity=similarity)
        memory.store(grey[:n])
        right = memory.retrieve(cues).index == torch.arange(n)
        values.append(right.float().mean().item())
for (_, values), name in zip(found.items(), ("dot product", "distance"), strict=True):
    plt.plot(sizes, values, "o-", label=name)
plt.gca().set(xscale="log", ylim=(0, 1.05), xlabel="images stored", ylabel="right image strongest")
plt.legend()
plt.show()

# %% [markdown]
# ## The energy
#
# The walkthrough states E = −log Σ exp(x·z) + z·z + β⁻¹ log N. Three parts are missing: β inside
# the exponential, 1/β before the logarithm, and ½ before the square. Does an update lower it? The
# energy of the library, E = ½‖z‖² − β⁻¹ log mean exp(βx·z) + ½M², never rises.

# %%
memory = hopfield.ModernHopfield(0.5, similarity="dot")
memory.store(grey[:100])
cues = corruption.occlude_half(grey[:100], digits.shape, fill=0.0).state
states = memory.retrieve(cues, trace="states", steps=8).states  # (steps + 1, cues, pixels)
scores = states @ grey[:100].T
stated = -scores.logsumexp(dim=-1) + states.square().sum(dim=-1) + torch.tensor(100.0).log() / 0.5
right = memory.energy(states)

_, (left_ax, right_ax) = plt.subplots(1, 2, figsize=(7, 2.6))
left_ax.plot(right[:, :10], color=plots.BLUE, lw=1)
left_ax.set(title="the library's energy", xlabel="step")
right_ax.plot(stated[:, :10], color=plots.RED, lw=1)
right_ax.set(title="the energy that the text states", xlabel="step")
plt.show()
print("the library's rises for", (right.diff(dim=0) > 1e-4).any(dim=0).sum().item(), "of 100 cues")
print("the stated one for", (stated.diff(dim=0) > 1e-4).any(dim=0).sum().item())

# %% [markdown]
# ## "It converges to a global minimum, in one step"
#
# Neither holds in general. At this β = 0.5 the paths above need several steps. At a larger β they
# end in different states, and only one of these is lowest.

# %%
memory = hopfield.ModernHopfield(2.0, similarity="dot")
memory.store(grey[:100])
result = memory.retrieve(cues, steps=1000, tol=1e-6)
ends = result.state.mul(100).round().unique(dim=0)
print("several ends:", len(ends) > 1, "  one lowest:", bool(result.energy.std() > 0.1))
print("some need more than one step:", bool((result.steps > 1).any()))

# %% [markdown]
# ## What β does
#
# A small β returns a mixture of many images, a large one a single image. exp H, with H the entropy
# of the weights, counts the images in the mixture.

# %%
betas = [0.1, 0.2, 0.5, 1, 2, 4, 8, 64]
rows = {"dot": [], "euclidean": []}
for similarity, states in rows.items():
    for beta in betas:
        memory = hopfield.ModernHopfield(beta, similarity=similarity)
        memory.store(grey[:10])
        result = memory.retrieve(corruption.occlude_half(grey[:1], digits.shape), steps=1)
        states.append(result)
stacked = {name: torch.cat([r.state for r in results]) for name, results in rows.items()}
show(
    [("dot product", stacked["dot"]), ("distance", stacked["euclidean"])],
    columns=[f"β = {beta:g}" for beta in betas],
)
for name, results in rows.items():
    print(f"{name:9}", "images in the mixture:", [f"{r.entropy.exp().item():.1f}" for r in results])

# %% [markdown]
# ## Try
#
# - `data.load("mnist")` downloads the images of the walkthrough (12 MB). Which results change?
# - Hide the left half: `corruption.occlude_half(…, side="left")`. Which digits become ambiguous?
# - `hopfield.ModernHopfield()` without β: the patterns decide it. How large is `memory.separation`?
# - Flip a quarter of the pixels instead: `corruption.flip(binary, 0.25)`. Which network wins now?
