"""The modern continuous network: one update is attention."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import energy
from ..checks import check_choice
from ..errors import OptionError
from ..iteration import Reading
from ..post import POST_TRANSFORMS
from ..readout import fused_attention, potential_only, read
from ..separation import Separation, Softmax, with_parameters
from ..similarity import ScoreFunction, Similarity, as_similarity, masked_state
from ..stores import Store
from .base import Memory
from .certified import READOUTS, check_certifiable, plan_of, planned_readout
from .fitting import AUTO, fitted_separation, is_auto
from .gaps import read_with_gaps, scores_of
from .options import blocks_of, check_store, plain_softmax, reads_in_place, scalar_separation


class AttentionMemory(Memory):
    """The dynamics of `ModernHopfield`: E(x) = ½‖x‖² − F(Xx) + ½M², x' = Xᵀ∇F(Xx)."""

    one_read_completes: ClassVar[bool] = True

    def _configure(
        self,
        beta: float | str | None,
        separation: Separation | None,
        similarity: str | Similarity | ScoreFunction | None,
        post: str | None,
        precision: str,
        store: Store | None,
    ) -> None:
        # Check and keep the arguments of the constructor of `ModernHopfield`.
        is_fitted = self._is_fitted = is_auto(beta, separation)
        self._separation = scalar_separation(None if is_fitted else beta, separation)
        if similarity is None:
            is_euclidean = is_fitted or self._separation.mean_ascends
            similarity = "euclidean" if is_euclidean else "dot"
        self.similarity = as_similarity(similarity)
        self._check_separation(is_fitted)
        self.precision = check_choice("precision", precision, READOUTS)
        self.storage = check_store(store)
        if precision == "certified":
            self._separation = plain_softmax(self._separation)
            check_certifiable(self.similarity, self._separation, self.storage)
        self.post = post
        if post is not None:
            self._check_post()

    def _check_separation(self, is_fitted: bool) -> None:
        separation, name = self._separation, type(self._separation).__name__
        if not (separation.simplex or separation.mean_ascends):
            raise OptionError(
                "ModernHopfield needs weights that sum to one, or of which the mean is an update: "
                f"Softmax, Sparsemax, Entmax, Normmax, TopK, KSubsets, Epanechnikov or one of your "
                f"own with simplex = True, not {name}. "
                "Use DenseHopfield, which takes every separation, for patterns of ±1."
            )
        if not separation.simplex and self.similarity.half_squared_norm:
            raise OptionError(
                f"similarity must be 'euclidean' with {name}, whose weights do not sum to one, "
                f"but is {self.similarity!r}. Leave similarity= out."
            )
        if is_fitted and not (separation.simplex and hasattr(separation, "beta")):
            raise OptionError(
                "beta='auto' needs a separation with an attribute beta and weights that sum to "
                f"one, but is given with {name}. Leave beta= out."
            )

    def _check_post(self) -> None:
        check_choice("post", self.post, POST_TRANSFORMS)
        if self.precision == "certified":
            raise OptionError(
                f"precision must be 'full' with post={self.post!r}, which changes the distance "
                "that a certified readout bounds. Leave precision= out."
            )
        if not (self._separation.simplex and self.similarity.is_affine):
            raise OptionError(
                f"post={self.post!r} needs weights that sum to one and the similarity 'dot' or "
                f"'euclidean', or no energy descends, but has {type(self._separation).__name__} "
                f"and {self.similarity!r}. For cosines, normalise the patterns and use 'dot'."
            )

    @property
    def separation(self) -> Separation:
        """The separation; with `beta="auto"` its β is the one that fits the stored patterns."""
        if not self._is_fitted or not len(self.storage):
            return self._separation
        return fitted_separation(self.storage, self.similarity, self._separation)

    @property
    def stores_gaps(self) -> bool:
        """Return True if patterns may have gaps; the scan and norms take complete ones only."""
        return self.precision == "full" and self.post is None

    @property
    def takes_prior(self) -> bool:
        """Return True if the separation takes a prior."""
        return self._separation.takes_prior

    @property
    def value_weights(self) -> tuple[Similarity, Separation]:
        """The similarity and separation of the readout: values are averaged by the same weights."""
        return self.similarity, self.separation

    @property
    def updates_by_weighted_sum(self) -> bool:
        """Return True without a post-transform."""
        return self.post is None

    @property
    def scans_rows(self) -> bool:
        """True for certified precision."""
        return self.precision == "certified"

    def step(
        self,
        state: Tensor,
        known: Tensor | None,
        held: Tensor | None,
        generator: torch.Generator,
    ) -> Reading:
        """Make one update x' = Xᵀ∇F(s)."""
        store, bound = self.storage, None
        largest = store.summary().largest_norm  # before the readout, so that blocks carry the norms
        scoring = self.similarity, self.separation
        if store.has_gaps:
            readout = read_with_gaps(store, state, known, held, *scoring)
        else:
            readout, bound = READOUTS[self.precision](store, state, known, *scoring)
        value = self._energy(masked_state(state, known), readout.potential)
        following = readout.state
        if self.post is not None:
            if known is not None and held is None:
                raise OptionError(
                    f"clamp must be True with post={self.post!r}: if only known entries count and "
                    "all may change, no energy descends. Leave clamp=False out, or the mask."
                )
            following = POST_TRANSFORMS[self.post](following, state, held, largest)
        if readout.mean is not None:  # without weight on any pattern, a state stays where it is
            following = torch.where(readout.weight[:, None] > 0, readout.mean, state)
        return Reading(following, value, readout.index, readout.weight, readout.entropy, bound)

    def next_state(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Make one update, by fused attention where it can."""
        scoring = self.similarity, self.separation
        if self.precision == "certified":
            plan = plan_of(self.storage, state, None, *scoring)
            if plan is not None:
                return planned_readout(self.storage, plan, *scoring)[0].state
        beta = self.separation.softmax_beta()
        if beta is not None and self._in_place(state):
            bias = None
            if not self.similarity.half_squared_norm:
                bias = self.storage.summary().squared_norms / -2
            prior = self.storage.prior
            following = fused_attention(state, self.storage.rows, beta, bias=bias, prior=prior)
            if following is not None and self.post is None:
                return following
            if following is not None:
                largest = self.storage.summary().largest_norm
                return POST_TRANSFORMS[str(self.post)](following, state, None, largest)
        return self.step(state, None, None, generator).next

    def energy_of(self, state: Tensor) -> Tensor:
        """E(x) = ½‖x‖² − F(s) + ½M² for the dot product, −F(s) for every other similarity.

        With a post-transform E(x) = Ψ(x) − F(s), see `hopfield.post`.
        """
        self.storage.summary()  # before the blocks, so that they carry the norms
        blocks = blocks_of(self.storage, len(state), copied=not self._in_place(state))
        views = [potential_only(block) for block in blocks]
        scores = scores_of(self.storage, self.similarity, self.separation)
        potential = read(views, state, scores, self.separation).potential.to(state.dtype)
        return self._energy(state, potential)

    def _energy(self, masked: Tensor, potential: Tensor) -> Tensor:
        given = masked, potential, self.storage.summary().largest_norm, self.similarity
        if self.post is None:
            return energy.modern_of_checked(*given)
        return energy.with_post_of_checked(*given, POST_TRANSFORMS[self.post])

    def _settings(self) -> dict[str, Any]:
        # The arguments of `_configure` but `store`.
        config: dict[str, Any] = {"beta": AUTO} if self._is_fitted else {}
        if not self._is_fitted or self._separation != Softmax():
            config["separation"] = self._separation
        if self.post is not None:
            config["post"] = self.post
        return config | {"similarity": self.similarity, "precision": self.precision}

    def config_text(self) -> dict[str, str]:
        """Return the texts of `beta` and `separation` that show the fitted β."""
        if not self._is_fitted or not len(self.storage):
            return {}
        separation: Any = self.separation
        beta = f"{separation.beta:.3g}"
        shown = with_parameters(separation, beta=float(beta))
        return {"beta": f"'{AUTO}' ({beta})", "separation": repr(shown)}

    def _in_place(self, state: Tensor) -> bool:
        return reads_in_place(self.storage, self.similarity, state)


class ModernHopfield(AttentionMemory):
    """Continuous network of Ramsauer (2021), and the sparse ones of Hu (2023) and Santos (2024).

    E(x) = ½‖x‖² − F(Xx) + ½M²,   x' = Xᵀ∇F(Xx);   F = β⁻¹ log mean exp(βs), ∇F = softmax(βs).

    With `similarity="euclidean"`, s_μ = −½‖x_μ − x‖² and E = −F(s), at the same cost. Every
    distinct pattern is then an attractor at large β; with the dot product, some may not be. An
    update never raises E for these two similarities; for others it can.

    Args:
        beta: β ≥ 0, shorthand for `separation=Softmax(beta)`. "auto" (the default without a
            separation) is the smallest β at which cues find 95 % of the patterns although damage
            leaves them a quarter of their lead over the others. It is fitted again when patterns
            change. With a separation, "auto" sets its β.
        separation: `Softmax`, `Sparsemax`, `Entmax`, `Normmax`, `TopK`, `KSubsets`, or your own
            with simplex weights; `Epanechnikov`, or your own that says `mean_ascends`: an update is
            then the mean of patterns by their weights.
        similarity: "dot", "euclidean", "cosine", "correlation" or "manhattan", or your own: a
            function (rows, state, known) → scores, or a `Similarity`. By default the dot product
            if β is given, as in attention, and Euclidean if β is "auto" or with `Epanechnikov`:
            with the dot product, a pattern is an attractor at no β if its product with another one
            exceeds ‖x_μ‖².
        post: None, or "unit_norm" or "layer_norm": an update ends at the point of this norm in the
            direction of Xᵀ∇F(s), as in Hopfield–Fenchel–Young energies (Santos et al. 2024), and E
            has another first term. With weights that sum to one and the dot product or Euclid.
        precision: "full", or "certified": a scan finds the patterns that can have weight, and
            only those are read, in float64; `Retrieval.bound` bounds the distance from the
            full readout. With Softmax and the dot product or Euclidean distance. A `DiskStore`
            needs sketches for it, see its `add_sketch`.
        store: where the patterns live; None is a `RamStore`.
    """

    def __init__(
        self,
        beta: float | str | None = None,
        *,
        separation: Separation | None = None,
        similarity: str | Similarity | ScoreFunction | None = None,
        post: str | None = None,
        precision: str = "full",
        store: Store | None = None,
    ) -> None:
        """Make an empty memory."""
        self._configure(beta, separation, similarity, post, precision, store)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments but `store`."""
        return self._settings()
