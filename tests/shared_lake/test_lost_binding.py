"""A home whose note on its store is lost says so, and never goes on alone as if the lake had not been shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.errors import LakeChanged, LostBinding, PublicationError
from conf.paths import shared_trace
from conf.settings import Settings
from conf.shared_lake.binding import Binding, is_shared, read_binding
from conf.shared_lake.following import follow_store
from rl.commands import forget
from rl.errors import ForgettingError
from tests.shared_lake.counting import SOURCE, home, lake_of, publish_number, values


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of a store in a folder: what is refused here doesn't depend on a store's kind."""
    (tmp_path / "store").mkdir()
    return f"file://{tmp_path / 'store'}"


@pytest.fixture
def homes(tmp_path: Path, store: str) -> tuple[Settings, Settings]:
    """Two homes that follow one store, the second of which is a commit behind."""
    first, second = home(tmp_path / "first", store), home(tmp_path / "second", store)
    publish_number(first, 1)
    follow_store(first, SOURCE)
    follow_store(second, SOURCE)
    publish_number(first, 2)
    return first, second


def _alone(settings: Settings) -> Settings:
    """Return the home's settings without the store's variable."""
    return Settings.from_environment({"NIGHTCART_HOME": str(settings.home)})


def _lose(settings: Settings) -> None:
    (lake_of(settings).folder / "_shared.json").unlink()


def test_a_lost_binding_is_refused_and_says_what_to_type(homes: tuple[Settings, Settings], store: str) -> None:
    _, second = homes
    _lose(second)
    told = f"`NIGHTCART_LAKE_STORE={store} make follow SOURCE={SOURCE}`"
    for command in (
        lambda: follow_store(_alone(second), SOURCE),
        lambda: is_shared(_alone(second), SOURCE),
        lambda: publish_number(_alone(second), 7),
    ):
        with pytest.raises(LostBinding) as refused:
            command()
        assert told in str(refused.value)
    assert values(second) == [1, 1]


def test_the_command_that_is_told_binds_a_home_that_is_behind_anew(homes: tuple[Settings, Settings]) -> None:
    first, second = homes
    _lose(second)
    follow_store(second, SOURCE)
    assert values(second) == [2, 2]
    publish_number(_alone(second), 3)
    follow_store(first, SOURCE)
    assert values(first) == [3, 3]


def test_what_a_home_published_alone_meanwhile_is_not_lost(homes: tuple[Settings, Settings]) -> None:
    """As one did under an earlier release, whose homes have no second note."""
    _, second = homes
    _lose(second)
    shared_trace(lake_of(second).folder).unlink()
    publish_number(_alone(second), 7)
    with pytest.raises(LakeChanged, match="2 differ"):
        follow_store(second, SOURCE)
    assert values(second) == [7, 7]


def test_a_folder_lost_whole_is_no_new_home(homes: tuple[Settings, Settings]) -> None:
    _, second = homes
    folder = lake_of(second).folder
    folder.rename(folder.with_name("_elsewhere"))
    with pytest.raises(LostBinding):
        follow_store(_alone(second), SOURCE)
    follow_store(second, SOURCE)
    assert values(second) == [2, 2]


def test_a_store_that_was_begun_anew_gets_nothing_of_a_lost_binding(
    homes: tuple[Settings, Settings], tmp_path: Path
) -> None:
    _, second = homes
    _lose(second)
    (tmp_path / "store" / SOURCE).rename(tmp_path / "emptied")
    with pytest.raises(LakeChanged, match="isn't the one that was followed here"):
        follow_store(second, SOURCE)
    (tmp_path / "other").mkdir()
    with pytest.raises(PublicationError, match=r"NIGHTCART_LAKE_STORE names file://.*/other"):
        follow_store(home(second.home, f"file://{tmp_path / 'other'}"), SOURCE)
    assert not (tmp_path / "store" / SOURCE).exists()


def test_a_home_of_an_earlier_release_gets_its_second_note_by_following(homes: tuple[Settings, Settings]) -> None:
    _, second = homes
    trace = shared_trace(lake_of(second).folder)
    trace.unlink()
    follow_store(second, SOURCE)
    assert trace.exists()


def test_a_forgotten_source_leaves_no_note(homes: tuple[Settings, Settings], tmp_path: Path) -> None:
    _, second = homes
    trace = shared_trace(lake_of(second).folder)
    _lose(second)
    with pytest.raises(ForgettingError, match="would bring it back"):
        forget.run(settings=_alone(second), source=SOURCE, is_confirmed=True, is_forced=True)
    (tmp_path / "store" / SOURCE).rename(tmp_path / "emptied")
    forget.run(settings=_alone(second), source=SOURCE, is_confirmed=True, is_forced=True)
    assert not trace.exists()
    assert not is_shared(_alone(second), SOURCE)


def test_a_note_left_alone_can_be_forgotten(homes: tuple[Settings, Settings], tmp_path: Path) -> None:
    _, second = homes
    folder = lake_of(second).folder
    folder.rename(tmp_path / "moved")
    (tmp_path / "store" / SOURCE).rename(tmp_path / "emptied")
    with pytest.raises(ForgettingError, match="through which store"):
        forget.run(settings=_alone(second), source=SOURCE, is_confirmed=False, is_forced=True)
    forget.run(settings=_alone(second), source=SOURCE, is_confirmed=True, is_forced=True)
    assert not shared_trace(folder).exists()


def test_the_note_holds_what_was_followed_first(homes: tuple[Settings, Settings], store: str) -> None:
    first, _ = homes
    noted = Binding.model_validate_json(shared_trace(lake_of(first).folder).read_text(encoding="utf-8"))
    bound = read_binding(lake_of(first).folder)
    assert bound is not None
    assert (noted.url, noted.followed, bound.followed) == (store, 0, 1)
