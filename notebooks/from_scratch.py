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
# # From scratch, checked
#
# A tutorial builds a classical and a modern Hopfield network in 120 lines of PyTorch. Here are its
# two classes as printed, each method compared with this library, and then what goes wrong with
# them.
#
# ```
# pip install '.[plots]'      # in a checkout of the library
# ```

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import hopfield
from hopfield import corruption, metrics, synthetic

plt.rcParams.update({"figure.figsize": (5, 3), "figure.constrained_layout.use": True})

# %% [markdown]
# ## The classical network of the tutorial
#
# Hebb's rule W = XᵀX/N without diagonal, and units that are updated one after another.


# %%
class Classical:
    def __init__(self, size):
        self.size = size

    def store(self, patterns):
        self.patterns = patterns.clone()
        self.W = torch.zeros(self.size, self.size)
        for i in range(patterns.shape[0]):
            xi = patterns[i].unsqueeze(1)
            self.W += xi @ xi.T
        self.W /= self.size
        self.W.fill_diagonal_(0.0)

    def energy(self, state):
        return -0.5 * state @ self.W @ state

    def retrieve(self, query, generator, max_steps=20):  # its random orders are made repeatable
        state = query.clone().float()
        energy_history = [self.energy(state).item()]
        for _ in range(max_steps):
            old_state = state.clone()
            for i in torch.randperm(self.size, generator=generator):
                h = self.W[i] @ state
                state[i] = 1.0 if h >= 0 else -1.0
            energy_history.append(self.energy(state).item())
            if torch.equal(state, old_state):
                break
        return state, energy_history


# %% [markdown]
# In the library the first `store` decides the size, and W is `memory.coupling`:

# %%
patterns = synthetic.random_binary(5, 100)
classical = Classical(100)
classical.store(patterns)
memory = hopfield.ClassicalHopfield()
memory.store(patterns)
print("coupling:", torch.allclose(memory.coupling, classical.W, atol=1e-6))
energies = torch.stack([classical.energy(pattern) for pattern in patterns])
print("energy:  ", torch.allclose(memory.energy(patterns), energies, atol=1e-4))

# %% [markdown]
# Flip a quarter of the entries and retrieve. The library takes all cues at once; both recover the
# patterns, and no energy rises.

# %%
cues = corruption.flip(patterns, 0.25).state
generator = torch.Generator().manual_seed(0)
ends, histories = zip(*(classical.retrieve(cue, generator) for cue in cues), strict=True)
result = memory.retrieve(cues, trace=True)
print("scratch:", metrics.hamming_accuracy(patterns, torch.stack(ends)).tolist())
print("library:", metrics.hamming_accuracy(patterns, result.state).tolist())

for history in histories:
    plt.plot(history, "o-", lw=1)
plt.gca().set(xlabel="sweep", ylabel="energy", xticks=range(4))
plt.show()

# %% [markdown]
# "Energy drops from roughly −11 to −48": the tutorial gives no sizes, but these numbers are those
# of 5 patterns of 100 units. A stored pattern has the overlap 1 with itself and E ≈ −(N − P)/2;
# with a quarter flipped the overlap is ½ and the energy a quarter of that.

# %% [markdown]
# ## The modern network of the tutorial


# %%
class Modern:
    def store(self, patterns):
        self.patterns = patterns.clone()

    def energy(self, state, beta=1.0):
        similarities = self.patterns @ state
        lse = torch.logsumexp(beta * similarities, dim=0)
        return (-lse / beta + 0.5 * torch.sum(state**2)).item()

    def retrieve(self, query, beta=1.0, steps=5):
        state = query.clone().float()
        energy_history = [self.energy(state, beta)]
        for _ in range(steps):
            weights = F.softmax(beta * (self.patterns @ state), dim=0)
            state = self.patterns.T @ weights
            energy_history.append(self.energy(state, beta))
        return state, energy_history

    def attention_retrieve(self, query, beta=1.0):
        if query.dim() == 1:
            query = query.unsqueeze(0)
        scores = beta * (query @ self.patterns.T)
        return (F.softmax(scores, dim=-1) @ self.patterns).squeeze(0)


# %% [markdown]
# The library adds two constants, β⁻¹ log n and ½M² with the largest norm M: its energy is never
# negative. Else the two agree, and one update is attention.

# %%
rows = torch.randn(20, 64, generator=torch.Generator().manual_seed(0))
noisy = rows[:3] + 0.3 * torch.randn(3, 64, generator=torch.Generator().manual_seed(1))
scratch = Modern()
scratch.store(rows)
memory = hopfield.ModernHopfield(beta=0.125)
memory.store(rows)

constant = torch.tensor(20.0).log() / 0.125 + rows.square().sum(dim=1).max() / 2
energies = torch.tensor([scratch.energy(state, 0.125) for state in noisy])
print("energy:   ", torch.allclose(memory.energy(noisy), energies + constant, rtol=1e-5))
states = torch.stack([scratch.retrieve(state, 0.125, steps=3)[0] for state in noisy])
same = torch.allclose(memory.retrieve(noisy, steps=3, tol=0.0).state, states, atol=1e-4)
print("retrieve: ", same)
attended = F.scaled_dot_product_attention(noisy, rows, rows)  # β = 1/√64
print("attention:", torch.allclose(hopfield.attention(noisy, rows, 0.125), attended, atol=1e-5))
print("          ", torch.allclose(scratch.attention_retrieve(noisy, 0.125), attended, atol=1e-5))

# %% [markdown]
# ## What goes wrong
#
# **It takes one query at a time.** `retrieve` of a batch ends in an error about scalars. The
# classical `energy` of as many states as there are units returns a matrix instead of energies, and
# `attention_retrieve` drops the axis of a batch of one. In the library states are rows, of any
# number.

# %%
batch = synthetic.random_binary(100, 100)
print("classical energies:", tuple(classical.energy(batch).shape), "for 100 states")
print("attention:", tuple(scratch.attention_retrieve(noisy[:1]).shape), "for a batch of one")
print("library:  ", tuple(memory.energy(noisy).shape), tuple(memory.update(noisy[:1]).shape))

# %% [markdown]
# **β is given twice**, to `retrieve` and to `energy`, and these can differ. With another β the
# "energy" may rise along the way. In the library β belongs to the memory.

# %%
path = [noisy[0]]
for _ in range(5):
    path.append(scratch.retrieve(path[-1], beta=0.02, steps=1)[0])
plt.plot([scratch.energy(state, 0.02) for state in path], "o-", label="β of the update")
plt.plot([scratch.energy(state, 1.0) for state in path], "s-", label="another β")
plt.gca().set(xlabel="step", ylabel="energy")
plt.legend()
plt.show()

# %% [markdown]
# **`store` replaces** what was stored before; in the library it adds. **`corrupt_pattern` cuts
# off** the number of flips: 0.29 of 100 entries are 28, because 0.29 · 100 is a little less than
# 29.

# %%
print("tutorial:", int(0.29 * 100), " library:", round(0.29 * 100))
flipped = corruption.flip(patterns[:1], 0.29).state
print("flipped:", (flipped != patterns[:1]).sum().item())

# %% [markdown]
# **A tie becomes +1**: `h >= 0`. These two patterns cancel in W, all fields are 0, and every state
# ends in the first one. In the library a unit without a field keeps its value.

# %%
pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
scratch, memory = Classical(2), hopfield.ClassicalHopfield()
scratch.store(pair)
memory.store(pair)
start = -torch.ones(2)
print("coupling:", scratch.W.tolist())
print("scratch: ", scratch.retrieve(start, generator)[0].tolist())
print("library: ", memory.retrieve(start).state.tolist())

# %% [markdown]
# ## Try
#
# - Store 15 patterns instead of 5. Which entries are wrong, and does every energy still fall?
# - `hopfield.ClassicalHopfield(schedule="synchronous")`: find a cue that ends in a cycle of two.
# - `memory.retrieve(cues, trace="states").states` holds the whole path. Draw its overlaps.
# - `hopfield.ModernHopfield()` without β: which β do the 20 vectors get, and why?
