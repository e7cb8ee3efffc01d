"""Plans of edits: which tokens are encoded, for texts small enough to count."""

from keyturn.cache.plan import Repair, Target, plan_edit

OLD = list(range(100, 200))


def encoded(new: list[int], cursor: int, behind: int = 0) -> list[int]:
    """Indices of the new prompt that are encoded; nothing that is not asked for."""
    target = Target(new, [0] * len(new), range(cursor), range(cursor, len(new)))
    plan = plan_edit(OLD, [0] * len(OLD), target, Repair(exact=0, behind=behind))
    return [index for span in plan.encode for index in span]


def test_what_is_new_and_the_last_token_are_encoded_and_the_rest_is_carried() -> None:
    new = [*OLD[:50], 1, 2, *OLD[50:]]
    assert encoded(new, 102) == [50, 51, 101]


def test_the_tokens_right_behind_a_change_are_encoded_too() -> None:
    new = [*OLD[:50], 1, 2, *OLD[50:]]
    assert encoded(new, 102, behind=4) == [50, 51, 52, 53, 54, 55, 101]


def test_behind_a_deletion_as_well() -> None:
    new = [*OLD[:40], *OLD[50:]]
    assert encoded(new, 90, behind=4) == [40, 41, 42, 43, 89]
