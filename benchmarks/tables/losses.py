"""The reasons for losses, in words; docs/tables.md shows them above the list of lost cells."""

REASONS = """The causes, as far as they are known:

- **Gaps that depend on another column.** Entries are missing where the other column is large. \
There, few rows have them, and the entries on which β and λ are chosen lie elsewhere. A straight \
line that holds everywhere (IterativeImputer: iris, breast_cancer, macrodata, diabetes), or the \
nearest rows alone (KNNImputer: biomass, quakes, phoneme, ionosphere), then come closer.
- **Few rows or few gaps.** In tables of less than 100 rows (elnino, statecrime, milk) and with \
10 % missing, few entries are hidden to choose β and λ, and few to measure the error: with one \
seed, differences of some percent are chance \
(wisconsin, ring, categories, Prestige, cia_factbook, linear).
- **Columns that are almost sums of others** (texture, breast_cancer). The Gaussian that completes \
stored rows adds noise to every column, so that errors below .2 cannot shrink much further. \
BayesianRidge estimates that noise.
- **Near duplicates** (segment). The nearest rows alone are best there.
- **Long tails and counts** (fair, australian, bupa, randhie, Credit, CASchools, Hedonic). \
A few rows make most of the squared error, and no row is like them."""
