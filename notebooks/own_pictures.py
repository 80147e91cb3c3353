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
# # Your own pictures
#
# A folder of pictures becomes a memory. Ask with a picture that is damaged, half hidden or noisy:
# the answer is the whole picture, its name, and whether it was ever stored.
#
# ```
# pip install '.[data,plots]'      # in a checkout of the library
# ```

# %%
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import torch
from PIL import Image
from sklearn.datasets import load_digits

import hopfield
from hopfield import corruption, data, plots

plt.rcParams.update({"figure.figsize": (5, 3), "figure.constrained_layout.use": True})

# %% [markdown]
# ## A folder
#
# Put the path of your folder here; subfolders are classes. So that this notebook runs as it is, it
# writes 300 scans of digits into a new folder, of several sizes and formats.

# %%
folder = Path(mkdtemp(), "scans")
scans = load_digits()
for number in range(300):
    place = folder / f"digit {scans.target[number]}"
    place.mkdir(parents=True, exist_ok=True)
    side, suffix = 24 + number % 40, ("png", "jpg")[number % 2]
    picture = Image.fromarray((scans.images[number] * 15.9).astype("uint8"))
    picture.resize((side, side)).save(place / f"{number:03}.{suffix}")

# %% [markdown]
# `data.load` reads the pictures as rows of one size. 16 × 16 to 64 × 64 tell most pictures apart;
# `mode="RGB"` keeps colours.

# %%
pictures = data.load(str(folder), size=(16, 16))
print(len(pictures), "pictures, such as", pictures.names[40])


def show(rows, known=None):
    """Draw rows of pictures with a label before each row."""
    levels = [(name, (row.clamp(0, 1) * 255).tolist()) for name, row in rows]
    ax = plt.figure(figsize=(6, 0.7 * len(rows))).add_subplot()
    plots.pictures(levels, pictures.shape, known=known, ax=ax)
    plt.show()


# %% [markdown]
# ## Store, and complete what is hidden
#
# Of 250 pictures the lower half is hidden. The memory compares the known half only, and chooses β
# from the pictures.

# %%
stored, names = pictures.patterns[:250], pictures.names[:250]
memory = hopfield.ModernHopfield(similarity="euclidean")
memory.store(stored, names=names)

cues = corruption.occlude_half(stored, pictures.shape)
result = memory.retrieve(cues)
some = slice(0, 250, 32)
known = cues.known.expand_as(cues.state)[some].int().tolist()
show([("stored", stored[some]), ("cue", cues.state[some]), ("answer", result.state[some])], known)
print("right names:", sum(a == b for a, b in zip(result.name, names, strict=True)), "of 250")

# %% [markdown]
# ## Noise
#
# A damaged picture has no known part: all its pixels are a little wrong. How much noise does the
# memory bear?

# %%
levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
shares, examples = [], []
for level in levels:
    noise = torch.randn(stored.shape, generator=torch.Generator().manual_seed(0))
    noisy = stored + level * noise
    answer = memory.retrieve(noisy)
    shares.append((answer.index == torch.arange(250)).float().mean().item())
    examples.append((noisy[7], answer.state[7]))
show([("cue", torch.stack([a for a, _ in examples])),
      ("answer", torch.stack([b for _, b in examples]))])  # fmt: skip

plt.plot(levels, shares, "o-")
plt.gca().set(xlabel="standard deviation of the noise", ylabel="right picture", ylim=(0, 1.05))
plt.show()

# %% [markdown]
# ## "None of these"
#
# A memory always answers. `calibrate` damages stored pictures as the cues will be, with each left
# out in turn, and learns how well a stranger scores. Then about `alpha` of the strangers are
# accepted.


# %%
def damage(rows, generator):
    """Return noisy rows."""
    return rows + 0.1 * torch.randn(rows.shape, generator=generator)


memory.calibrate(damage, alpha=0.05)
strangers = pictures.patterns[250:]  # never stored
generator = torch.Generator().manual_seed(1)
for name, rows in (("stored", stored), ("never stored", strangers)):
    answer = memory.retrieve(damage(rows, generator))
    print(f"{name:12} accepted: {answer.accepted.float().mean():.0%}")

# %% [markdown]
# ## Try
#
# - Your folder. `memory.duplicates()` lists pictures that are stored twice, or almost.
# - Ask with a photograph of a picture: does the memory find it? What helps: a blur, a smaller size?
# - `memory.nearest(cue, k=3)` gives the three best names with scores.
# - From the command line: `hopfield store photos -o photos.hop`, then
#   `hopfield recall photos.hop torn.jpg`.
