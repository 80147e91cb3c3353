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
# # A layer in a small transformer
#
# The attention of a transformer is one step of a Hopfield network. This notebook trains a small
# transformer on digits, replaces its attention by layers of this library with the same weights, and
# then uses what attention does not have: weights of exactly zero, several steps, an energy.
#
# ```
# pip install '.[data,plots]'      # in a checkout of the library
# ```

# %%
import copy

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from hopfield import data
from hopfield.nn import (
    HopfieldAssociation,
    HopfieldEncoderLayer,
    HopfieldPooling,
    from_multihead_attention,
)

plt.rcParams.update({"figure.figsize": (5, 3), "figure.constrained_layout.use": True})

# %% [markdown]
# ## The task
#
# A digit of 8 × 8 pixels is a sequence of 8 tokens, its rows. 1300 digits to train on, 497 to test.

# %%
digits = data.load("digits")
rows = digits.patterns.reshape(-1, 8, 8)
order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
train, test = order[:1300], order[1300:]


class Classifier(nn.Module):
    """An encoder over the rows of a digit, and a mean over the rows."""

    def __init__(self, layer):
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.place = nn.Parameter(torch.randn(8, 32) / 4)
        self.encoder = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)
        self.read = nn.Linear(32, 10)

    def forward(self, x):
        return self.read(self.encoder(self.embed(x) + self.place).mean(dim=1))


def fit(model, epochs=8):
    """Train, and return the accuracy on the test digits after each epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    shuffle = torch.Generator().manual_seed(0)
    accuracies = []
    for _ in range(epochs):
        model.train()
        for batch in train[torch.randperm(len(train), generator=shuffle)].split(100):
            optimizer.zero_grad()
            cross_entropy(model(rows[batch]), digits.labels[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = model(rows[test]).argmax(dim=1) == digits.labels[test]
        accuracies.append(right.float().mean().item())
    return accuracies


# %% [markdown]
# ## Torch's attention, and the same weights in this library
#
# `from_multihead_attention` takes over the weights. The outputs are equal to rounding.

# %%
torch.manual_seed(0)
options = {"d_model": 32, "nhead": 4, "dim_feedforward": 64, "dropout": 0.0, "batch_first": True}
trained = Classifier(nn.TransformerEncoderLayer(**options))
curves = {"torch": fit(trained)}


def replaced(**changes):
    """Copy the trained model with its attention replaced."""
    model = copy.deepcopy(trained)
    for layer in model.encoder.layers:
        layer.self_attn = from_multihead_attention(layer.self_attn, **changes)
    return model.eval()


with torch.no_grad():
    difference = (replaced()(rows[test]) - trained(rows[test])).abs().max().item()
print("equal to 1e-4:", difference < 1e-4)

# %% [markdown]
# ## Train with sparse weights and two steps
#
# `separation="entmax"` gives most tokens a weight of exactly zero. With `steps=2` the queries first
# move towards the keys that they resemble. Both train like attention.

# %%
for name, changes in {"entmax": {"separation": "entmax"}, "two steps": {"steps": 2}}.items():
    torch.manual_seed(0)
    model = Classifier(HopfieldEncoderLayer(**options, **changes))
    curves[name] = fit(model)
    if name == "entmax":
        sparse = model

for name, accuracies in curves.items():
    plt.plot(range(1, len(accuracies) + 1), accuracies, label=name)
plt.gca().set(xlabel="epoch", ylabel="accuracy on the test digits")
plt.legend()
plt.show()
print("each above 85 %:", all(accuracies[-1] > 0.85 for accuracies in curves.values()))

# %% [markdown]
# ## Look at the weights
#
# Which rows of a digit does each row read? White is exactly 0.

# %%
with torch.no_grad():
    tokens = sparse.embed(rows[test[:1]]) + sparse.place
    attention = sparse.encoder.layers[0].self_attn
    _, weights = attention(tokens, tokens, tokens, average_attn_weights=False)
_, axes = plt.subplots(1, 5, figsize=(8, 1.9))
axes[0].imshow(rows[test[0]].numpy(), cmap="Greys")
axes[0].set(title="digit")
for head, ax in enumerate(axes[1:]):
    ax.imshow(weights[0, head].numpy(), cmap="Blues", vmin=0)
    ax.set(title=f"head {head + 1}", xlabel="read row", yticks=[])
plt.show()
print("some weights are 0:", bool((weights == 0).any()))

# %% [markdown]
# ## Read a set by a learned query
#
# The mean over the rows can be a layer too. `HopfieldPooling` reads a set by trained queries; its
# `describe` also returns the energy of the queries at each step.

# %%
torch.manual_seed(0)
pooling = HopfieldPooling(HopfieldAssociation(32, heads=4), queries=1)
description = pooling.describe(tokens)
print("output:", tuple(description.output.shape), " energies:", tuple(description.energies.shape))

# %% [markdown]
# ## Try
#
# - `separation="sparsemax"`, or `TopK(2, 0.5)`: how few rows may a row read before accuracy falls?
# - A learned β per head: `beta=torch.full((4,), 0.5, requires_grad=True)`.
# - Put `HopfieldPooling` into `Classifier.forward` in the place of the mean.
# - Your own model: replace the attention of each layer as in `replaced`, and train on.
