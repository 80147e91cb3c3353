"""The published results that take longest: `make heavy` runs their quick forms and their faults."""

HEAVY = {
    "capacity-exponent",
    "dense-capacity",
    "exponential-capacity",
    "mixtures",
    "modern-theorems",
    "sequence-capacity",
    "sparse-exact",
}
