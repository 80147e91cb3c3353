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
# # Fill a table
#
# A table has gaps. Similar rows know what is missing: an associative memory of the rows fills each
# gap from the rows that agree with what is known, and says how sure it is.
#
# ```
# pip install '.[sklearn,plots]'      # in a checkout of the library
# ```

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler

from hopfield.sklearn import HopfieldImputer

plt.rcParams.update({"figure.figsize": (5, 3), "figure.constrained_layout.use": True})

# %% [markdown]
# ## A table with gaps
#
# 178 wines, 13 measured quantities in different units. We delete a fifth of the entries, and keep
# them to judge the answers. Bring your own: `table = pandas.read_csv("mine.csv")`.

# %%
wine = load_wine(as_frame=True).data
hidden = np.random.default_rng(0).random(wine.shape) < 0.2
table = wine.mask(hidden)
print(table.iloc[:4, :6].to_string())

# %% [markdown]
# ## Fill it
#
# `HopfieldImputer` is an estimator of scikit-learn. It scales the columns and chooses β by hiding
# entries that are known.

# %%
imputer = HopfieldImputer().set_output(transform="pandas")
filled = imputer.fit_transform(table)
print(filled.iloc[:4, :6].round(1).to_string())

# %% [markdown]
# ## Is that any good?
#
# Compare with the mean of each column and with five nearest neighbours. The error is in standard
# deviations of a column: the mean scores about 1.


# %%
def error(answer):
    """Return the root mean square error of the hidden entries, in standard deviations."""
    return float(np.sqrt((((answer - wine) / wine.std()).to_numpy()[hidden] ** 2).mean()))


def rescaled(imputer):
    """Fill by an imputer that needs columns of one unit."""
    scaler = StandardScaler().set_output(transform="pandas")
    scaled = imputer.set_output(transform="pandas").fit_transform(scaler.fit_transform(table))
    return scaled * scaler.scale_ + scaler.mean_


errors = {
    "mean": error(rescaled(SimpleImputer())),
    "5 nearest": error(rescaled(KNNImputer())),
    "hopfield": error(filled),
}
plt.barh(list(errors), list(errors.values()), color=["#999999", "#d98c00", "#0072b2"])
plt.xlabel("error, standard deviations")
plt.show()
print("smallest:", min(errors, key=errors.get))

# %% [markdown]
# ## How sure is each entry?
#
# `impute` returns bounds. Nine of ten hidden values should lie between them, whatever the column.

# %%
imputation = imputer.impute(table, interval=0.9)
inside = ((imputation.low <= wine) & (wine <= imputation.high)).to_numpy()[hidden]
print(f"inside: {inside.mean():.1f} of the hidden entries")

column = "flavanoids"
rows = np.flatnonzero(hidden[:, wine.columns.get_loc(column)])
rows = rows[np.argsort(filled[column].to_numpy()[rows])]
places = np.arange(len(rows))
low, high = imputation.low[column].to_numpy()[rows], imputation.high[column].to_numpy()[rows]
plt.vlines(places, low, high, color="#0072b2", alpha=0.4, label="90 % bounds")
plt.plot(places, filled[column].to_numpy()[rows], ".", color="#0072b2", label="filled")
plt.plot(places, wine[column].to_numpy()[rows], "x", color="#d55e00", label="hidden value")
plt.gca().set(xlabel="wines whose value was deleted", ylabel=column)
plt.legend()
plt.show()

# %% [markdown]
# ## Which rows did the answer come from?
#
# A memory can name its sources: the rows with the largest weights.

# %%
print(f"wine 0 was filled from about {imputation.n_effective[0]:.0f} wines, mostly from")
print(imputation.index[0][:3].tolist())

# %% [markdown]
# ## Try
#
# - Columns of words are categories: add `table["class"] = load_wine().target_names[…]` with gaps.
# - Delete half of the entries instead of a fifth. Which of the three methods suffers least?
# - `imputation.sample()` draws possible tables; fit a model to each and look at its spread.
# - From the command line: `hopfield impute mine.csv -o filled.csv --interval .9`.
