"""The reasons for losses, in words; docs/tables.md shows them above the list of lost cells."""

REASONS = """The causes, as far as they are known:

- **Gaps that depend on another column.** Entries are missing where the other column is large. \
There, few rows have them, and the entries on which β and λ are chosen lie elsewhere. A straight \
line that holds everywhere (IterativeImputer: iris, breast_cancer, CASchools, statecrime), or the \
nearest rows alone (KNNImputer: biomass, phoneme, ionosphere), then come closer.
- **Few rows or few gaps.** In tables of less than 110 rows (elnino, statecrime, milk, Prestige) \
and with 10 % missing, few entries are hidden to choose β and λ, and few to measure the error: \
with one seed, differences of some percent are chance (wisconsin, linear).
- **Columns that are almost sums of others** (texture). The Gaussian that completes stored rows \
adds noise to every column, with 400 rows .01 of its variance, so that errors below .15 cannot \
shrink much further. BayesianRidge estimates that noise.
- **Near duplicates** (segment). The nearest rows alone are best there.
- **Long tails and counts** (fair, Credit). A few rows make most of the squared error, and no row \
is like them."""
