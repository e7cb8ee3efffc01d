"""What the launches of our kernels read: one list of int64 each, at these places.

Every list begins with a counter, by which threads share out the work.
"""

NEXT = 0

# `remember` and `attend`: one counter more, what is the same for every layer, one counter for each
# key head, then tokens (position, address of the key and of the value in the first layer and head)
# and segments (address of the first key and of the first value there, length, position, offset).
SLOT, LAYER, RAW, RESULT = range(1, 5)
(TOKENS, HEADS, KV_HEADS, DIM, SCALE, COS, SIN, HEAD_BYTES, SCRATCH, SLOT_BYTES, PARTIALS, UNITS,
 QUERY_FACTORS, KEY_FACTORS) = range(5, 19)  # fmt: skip
HEADER = 19
TOKEN, SEGMENT = 3, 5

UNIT_KEYS = 256  # of one piece of work
BLOCK_KEYS = 32  # of one step of its softmax: what is at work fits into the first cache
CODE_BLOCK_KEYS = 64  # where keys and values are codes
STEP_BYTES = 2  # behind a row of codes: bfloat16
LANES = 16  # queries side by side
TILE = 2 * LANES  # queries whose scores are worked out together

# `prepare`; codes of TOGETHER tokens are laid together for five-bit weights, otherwise LAID is 0.
ROWS, SIZE, INPUT, NORM, EPS, ROOM, CODED, STEPS, LAID, GROUP_SUMS = range(1, 11)
TOGETHER = 8

# `multiply`; `add_up` reads the same: CODES_AT are a row of ones then, and MULTIPLIED the sums.
(CODE_ROWS, INS, OUTS, BLOCK, BLOCKS, CODES_AT, STEPS_AT, WEIGHTS, SUMS, SCALES, BIAS, RESIDUAL,
 MULTIPLIED, GROUP_SUMS_AT) = range(1, 15)  # fmt: skip
ROW_MULTIPLE = 16  # rows of a block but the last, which has at least as many


def padded(rows: int) -> int:
    """Queries in whole lanes."""
    return -(-rows // LANES) * LANES


def slot_floats(rows: int, dim: int) -> int:
    """Of one thread's memory in `attend`, for so many queries of a key head: positions, what
    earlier sums shrink by, turned queries, one of them, scores."""
    lanes = padded(rows)
    return 2 * lanes + lanes * dim + dim + BLOCK_KEYS * TILE


def code_slot_floats(rows: int, dim: int) -> int:
    """The same where keys and values are codes: positions, what earlier sums shrink by, steps of
    queries, what their sums begin with, their codes, one turned query, its lanes and its codes,
    scores, weights as codes, steps and the largest of weights, steps of a block's keys and of its
    values, and these."""
    lanes, block = padded(rows), CODE_BLOCK_KEYS
    queries = 4 * lanes + lanes * dim // 4 + dim + LANES + dim // 4
    return queries + block * TILE + block * TILE // 4 + 2 * TILE + 2 * block + block * dim // 4


def partial_floats(rows: int, dim: int) -> int:
    """Of what a unit leaves for one head: of each query maximum, sum and weighed values."""
    return padded(rows) * (dim + 2)


def room_floats(size: int) -> int:
    """Of the memory for one row in `prepare`."""
    return LANES + size
