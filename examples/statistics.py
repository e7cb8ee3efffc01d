"""Small statistics over lists of numbers. The median is not finished: let keyturn try."""


def mean(values: list[float]) -> float:
    """The sum of the values over their number."""
    if not values:
        raise ValueError("the mean of nothing")
    return sum(values) / len(values)


def median(values: list[float]) -> float:
    """The middle value; of an even number of values, the mean of the two in the middle."""
    if not values:
        raise ValueError("the median of nothing")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]


def spread(values: list[float]) -> float:
    """The difference between the largest value and the smallest."""
    if not values:
        raise ValueError("the spread of nothing")
    return max(values) - min(values)
