"""Which versions go, and that nothing else does."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genro_wopi.domain.files import Evidence, Head, KeptVersion
from genro_wopi.domain.identifiers import Version
from genro_wopi.domain.version_policy import DAY_US, VersionPolicy, upkeep

SECOND_US = 1_000_000
NOW_US = 1_000 * DAY_US
WINDOW = VersionPolicy(coalesce_seconds=300)


def evidence(at_s: int, *, auto: bool = True, sha: str = "", session: str = "anna") -> Evidence:
    return Evidence(
        save_id=f"s{at_s}",
        session=session,
        epoch=1,
        attempt=0,
        base="",
        sequence=at_s,
        version=Version(f"{at_s}.x"),
        last_modified_us=NOW_US - DAY_US + at_s * SECOND_US,
        sha256=sha or f"sha-{at_s}",
        is_autosave=auto,
    )


def head(of: Evidence) -> Head:
    return Head(fingerprint="f", size_bytes=1, modified_us=of.last_modified_us, evidence=of)


def kept(*found: Evidence) -> list[KeptVersion]:
    """Kept versions, given the oldest first, as a node lists them."""
    return [
        KeptVersion(key=e.version, size_bytes=1, modified_us=e.last_modified_us, evidence=e)
        for e in reversed(found)
    ]


def gone(policy: VersionPolicy, newest: Evidence, *older: Evidence) -> list[int]:
    done = upkeep(policy, head(newest), kept(*older), now_us=NOW_US)
    return sorted(v.evidence.sequence for v in done.superfluous if v.evidence)


def test_without_a_policy_every_save_is_a_version() -> None:
    assert gone(VersionPolicy(), evidence(90), evidence(0), evidence(30), evidence(60)) == []


def test_identical_bytes_are_stored_once() -> None:
    first, again = evidence(0, sha="same", auto=False), evidence(30, sha="same", auto=False)
    assert gone(VersionPolicy(), again, first) == [0]


@pytest.mark.parametrize(
    "policy", [VersionPolicy(), WINDOW, VersionPolicy(keep_count=0), VersionPolicy(keep_days=0)]
)
def test_a_copy_of_the_head_stays_for_whoever_is_about_to_replace_it(policy: VersionPolicy) -> None:
    newest = evidence(60)
    assert gone(policy, newest, newest) == []
    foreign = Head(fingerprint='"e"', size_bytes=1, modified_us=1, evidence=None)
    copy = KeptVersion(key="e", size_bytes=1, modified_us=1, evidence=None)
    assert upkeep(policy, foreign, [copy], now_us=NOW_US).superfluous == []


def test_an_autosave_of_the_same_bytes_does_not_stand_for_what_a_person_saved() -> None:
    person, auto = evidence(0, sha="same", auto=False), evidence(30, sha="same")
    assert gone(WINDOW, evidence(60), person, auto) == [30]
    assert gone(WINDOW, auto, person) == []


def test_autosaves_within_the_window_become_one_version_per_window() -> None:
    saves = [evidence(at) for at in range(0, 1200, 60)]
    assert gone(WINDOW, saves[-1], *saves[:-1]) == [
        at for at in range(0, 1140, 60) if at not in {240, 540, 840}
    ]


def test_what_a_person_saved_stays() -> None:
    assert gone(WINDOW, evidence(60), evidence(0, auto=False), evidence(30)) == [30]


def test_what_somebody_else_saved_stays() -> None:
    assert gone(WINDOW, evidence(60), evidence(0, session="mario"), evidence(30)) == [30]


def test_what_another_program_wrote_stays() -> None:
    foreign = KeptVersion(key="f", size_bytes=1, modified_us=NOW_US - DAY_US, evidence=None)
    assert upkeep(WINDOW, head(evidence(60)), [foreign], now_us=NOW_US).superfluous == []


def test_only_the_newest_are_kept_by_number() -> None:
    policy = VersionPolicy(keep_count=2)
    assert gone(policy, evidence(90), evidence(0), evidence(30), evidence(60)) == [0]


@pytest.mark.parametrize(("days", "expected"), [(1, [0]), (2, [])])
def test_age_counts_from_the_moment_of_replacement(days: int, expected: list[int]) -> None:
    policy = VersionPolicy(keep_days=days)
    assert gone(policy, evidence(3600), evidence(-86_400), evidence(0)) == (
        [-86_400] if days == 1 else expected
    )


def test_the_next_look_is_when_the_oldest_one_ends() -> None:
    policy = VersionPolicy(keep_days=2)
    newest = evidence(3600)
    done = upkeep(policy, head(newest), kept(evidence(0)), now_us=NOW_US)
    assert done.next_us == newest.last_modified_us + 2 * DAY_US


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12),
    st.integers(0, 200),
)
def test_all_distinct_bytes_of_a_person_survive_any_window(
    saves: list[tuple[bool, str, str]], window_s: int
) -> None:
    made = [
        msgspec.structs.replace(evidence(n * 30, auto=auto, session=who), sha256=sha)
        for n, (auto, who, sha) in enumerate(saves)
    ]
    newest = evidence(10_000)
    done = upkeep(
        VersionPolicy(coalesce_seconds=window_s), head(newest), kept(*made), now_us=NOW_US
    )
    stayed = [v for v in kept(*made) if v not in done.superfluous]
    wanted = {e.sha256 for e in made if not e.is_autosave}
    assert wanted <= {v.evidence.sha256 for v in stayed if v.evidence}
