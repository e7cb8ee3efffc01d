"""A trained exit's shape: plain integers, and the names of its tensors.

With h the state after the first `after` layers at a token, g the last layer's state at the last
verified token, `distance` tokens before it, and n(x) = x / rms(x):

    x  = enter · [n(h); n(g)] + distances[distance]
    x += out · attention(query · n(x), keys and values of layer `attended` up to the verified token)
    x += down · (silu(gate · n(x)) * (up · n(x)))

and the model's own last norm and `rows` of its own head read x. The attention asks what the model
has cached anyway, so an exit has no cache of its own: nothing to fill for a prompt, to keep right
over edits, or to roll back (GLIDE, arXiv 2402.02082, attends to its target's cache the same way;
the verified state as a second input is EAGLE's, arXiv 2401.15077).
"""

from dataclasses import dataclass

EPSILON = 1e-6  # of n(x)
DISTANCES = 8  # further than that counts as that


@dataclass(frozen=True, slots=True)
class ExitShape:
    """Sizes in elements. `heads` query heads share `kv_heads`, as in the model."""

    after: int  # layers that the exit comes after
    attended: int  # layer, counted from 0, whose cache it attends to
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The shape (out, in) of each linear weight."""
        wide = self.heads * self.head_dim
        return {
            "enter": (self.hidden, 2 * self.hidden),
            "query": (wide, self.hidden),
            "out": (self.hidden, wide),
            "up": (2 * self.intermediate, self.hidden),  # gate and up
            "down": (self.hidden, self.intermediate),
        }

    @property
    def parameters(self) -> int:
        return sum(rows * columns for rows, columns in self.matrices.values())
