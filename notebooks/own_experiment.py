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
# # Your own experiment
#
# Invent a network, ask a question, measure the answer with error bars, draw it beside theory. The
# question here: how many connections can a Hopfield network lose?
#
# ```
# pip install '.[plots]' pandas      # in a checkout of the library
# ```

# %%
from tempfile import mkdtemp
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas
import torch

from hopfield import plots, synthetic
from hopfield.experiments import Recall, Setup, plan, recall, run, sweep
from hopfield.metrics import overlap

plt.rcParams.update({"figure.figsize": (5, 3), "figure.constrained_layout.use": True})

# %% [markdown]
# ## The network
#
# Hebb's rule, and then a share of the connections is cut at random, each direction on its own. A
# memory for experiments needs `store(patterns)`, and `retrieve(cue)` whose result has a `state`.


# %%
class Diluted:
    """Hebb's rule with a share `lost` of the connections cut; all units change at once."""

    def __init__(self, lost=0.0):
        self.lost = lost

    def store(self, patterns):
        units = patterns.shape[1]
        draw = torch.rand(units, units, generator=torch.Generator().manual_seed(units))
        self.coupling = (patterns.T @ patterns / units) * (draw >= self.lost)
        self.coupling.fill_diagonal_(0)

    def retrieve(self, cue):
        state = cue.state
        for _ in range(20):
            state = torch.where(state @ self.coupling.T < 0, -1.0, 1.0)
        return SimpleNamespace(state=state)


# %% [markdown]
# Check it where the answer is known: a few patterns, nothing lost.

# %%
patterns = synthetic.random_binary(3, 200)
network = Diluted()
network.store(patterns)
state = network.retrieve(SimpleNamespace(state=patterns)).state
print(
    "patterns stay:", state.equal(patterns), " no self-coupling:", not network.coupling.diag().any()
)

# %% [markdown]
# ## The measurement
#
# `sweep` makes one setup per share that is lost, and one config per number of patterns. Each
# combination is measured on several draws of random patterns; cues have 10 % of their entries
# flipped. The measure is the overlap of the end with the pattern.

# %%
setups = sweep(Setup("diluted", Diluted, measure={"overlap": overlap}), lost=[0.0, 0.5, 0.8, 0.9])
configs = sweep(Recall(units=200, damage=0.1, draws=8), n=[4, 8, 12, 16, 20, 30, 40])
tasks = plan(recall, configs, setups)
records = run(tasks, f"{mkdtemp()}/diluted.jsonl", progress=lambda line: None)
frame = pandas.DataFrame(records)
print(frame.pivot(index="n", columns="lost", values="overlap").round(1).to_string())

# %% [markdown]
# The file holds one record per line, with seeds and versions. Run it again with more values, and
# only these are measured.
#
# ## The figure

# %%
ax = plt.figure(figsize=(5, 3.2)).add_subplot()
plots.curves(records, ax, x="n")
plt.show()

# %% [markdown]
# ## Beside theory
#
# Were a lost connection simply lost, only the number of patterns per *kept* connection would
# count, and all curves would be one. Draw them over this number, with two limits of theory: the
# full network falls at the critical load 0.138; with few connections left, the overlap m solves m
# = erf(m/√(2α)) and falls slowly to 0 at α = 2/π (Derrida, Gardner & Zippelius 1987).

# %%
ax = plt.figure().add_subplot()
for lost, group in frame.groupby("lost"):
    load = group["n"] / ((1 - lost) * 200)
    error = group["overlap_sd"] / group["samples"] ** 0.5
    ax.errorbar(load, group["overlap"], error, marker="o", lw=1, label=f"{lost:.0%} lost")
m = torch.linspace(0.01, 0.999, 200, dtype=torch.float64)
alpha = (m / torch.erfinv(m)).square() / 2
ax.plot(alpha, m, color="black", lw=1, label="theory, few left")
ax.axvline(0.138, color="grey", lw=1, ls=":", label="theory, full")
ax.set(xlim=(0, 1), ylim=(0, 1.05), xlabel="patterns per kept connection", ylabel="overlap")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# A lost connection is less than lost: the more are cut, the more patterns each of the others
# holds. In a full network a unit hears its own past through loops of connections; cutting breaks
# the loops. The curves lie between the two limits: 200 units are few, and so the last one is not
# reached.
#
# ## Try
#
# - 1000 units and more draws: does the fall become sharper? `run(…, processes=2)` uses two
#   processors.
# - Cut the *weakest* connections instead of random ones. Is anything lost at 50 %?
# - Cut both directions together. The coupling stays symmetric: does the network hold more, or less?
# - Another rule: the pseudo-inverse of `hopfield.ClassicalHopfield("pseudo_inverse")`, diluted.
