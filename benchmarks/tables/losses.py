"""The reasons for losses, in words; docs/tables.md shows them above the list of lost cells."""

REASONS = """The causes, as far as they are known:

- **Gaps that depend on another column** (clustered, curved, phoneme, segment, iris, Hedonic, \
breast_cancer and macrodata with 50 % missing; biomass, Hitters, Prestige, cia_factbook). Entries \
are missing where the other column is large. There, most similar rows lack the same entries, and \
what is read from these is what Gaussians of all rows expect. KNNImputer reads known entries only, \
from rows that are less similar; a straight line that holds everywhere (IterativeImputer) reaches \
there too. Other β and λ help little: at most 1 % in clustered, 3 % in curved and phoneme.
- **Few rows** (elnino 61, statecrime 51, Prestige 102): few entries are hidden to choose β and λ, \
and few to measure the error.
- **Columns that are almost sums of others** (texture; less so sonar and wisconsin). The Gaussian \
that completes stored rows adds the same noise to every column, with 400 rows .01 of its variance, \
so that errors below .15 cannot shrink much further. BayesianRidge estimates noise and shrinkage \
for each column.
- **Near duplicates** (segment). The nearest rows alone are best there.
- **Long tails and counts** (fair, Credit). A few rows make most of the squared error, and no row \
is like them."""
