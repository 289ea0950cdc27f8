"""The algebraic rules of `gendsl.passes.simplify`, by the ops they look at."""
