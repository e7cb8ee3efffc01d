"""What `attention_kernel` leaves to whoever knows how rows of keys and values are kept."""

from typing import Any, NamedTuple


class Rows(NamedTuple):
    """Functions that numba compiles into the kernel, and a number.

    A thread's memory begins with int32 positions and float32 shrinkages of all lanes and a turned
    query; what is behind them is `room`, where queries are laid.
    """

    row_bytes: Any  # (dim)
    keep: Any  # (numbers, head of all layers, key row, value row, turned key, value): store them
    lay: Any  # (numbers, head, turned query, room, lane, lanes, dim): put it into its lane
    lay_nobody: Any  # (room, lane, lanes, dim): a lane without a query
    laid: Any  # (room, lanes, dim): all lie there
    block_keys: int  # of one step of the softmax
    attend_block: Any  # (keys, values, count, first, dim, positions, room, lanes, partial)
