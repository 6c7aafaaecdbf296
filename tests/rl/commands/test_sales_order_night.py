"""A whole night of orders on a log that counts no stock: simulated by a declared rule, and said wherever it is read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from conf.errors import SpecError
from conf.paths import Lake, Run
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.orders import OrderCandidate
from conf.specs.scenario import Pipeline, load_pipeline
from rl.commands import decide, evaluate, home, prepare, promote, register, train
from rl.data.transitions_reading import read_transitions
from rl.errors import DatasetError, PolicyError, ShopError
from rl.figures.night import NightFigures, read_figures
from rl.inventory.declared_stock import DeclaredStock
from rl.inventory.order_policy import load_order_policy
from rl.orders.history_reading import read_history
from rl.orders.order_basis import OrderBasis
from rl.orders.order_history import OrderHistory
from rl.orders.order_split import OrderDataset, prepare_orders
from rl.orders.order_truth import true_demand
from rl.orders.own_stock import read_own_stock, unknown_products, with_own_stock
from rl.orders.tomorrow import tomorrow_orders
from rl.page.approval_request import approval_request
from rl.page.order_sentences import declared_rule_sentence
from rl.registry.store import open_store
from tests.rl.orders.order_lake import write_order_lake
from tests.rl.orders.shop_history import a_shop

pytestmark = pytest.mark.xdist_group("nights")

SOURCE, SCENARIO, MODEL = "simulated_sales", "orders_from_sales", "orders_from_sales-policy"
BASE = load_pipeline(SCENARIO, SOURCE)
DECLARED = DeclaredStock(3, safety=0.3, recent_days=21)


def two_formulas(*, safety: float = 0.3) -> Pipeline:
    """The scenario with few candidates and a declared rule that is easy to beat, at a level that few products pass."""
    assert BASE.scenario.orders is not None and BASE.scenario.orders.declared_stock is not None
    rule = BASE.scenario.orders.declared_stock.model_copy(update={"safety": safety, "recent_days": 21})
    orders = BASE.scenario.orders.model_copy(
        update={
            "candidates": tuple(OrderCandidate(algorithm=name) for name in ("base_stock", "newsvendor")),  # type: ignore[arg-type]
            "declared_stock": rule,
        }
    )
    gate = BASE.scenario.gate.model_copy(update={"wrong_promotions_per_year": 45.0})
    return Pipeline(source=BASE.source, scenario=BASE.scenario.model_copy(update={"orders": orders, "gate": gate}))


class SalesNight:
    """A home after such a night, with the results of its commands by name."""

    def __init__(self, home: Path) -> None:
        days = a_shop(n_products=20, seed=3, catalogue_seed=3)
        self.settings: Settings
        self.settings, self.written = write_order_lake(home, days, two_formulas())
        self.run = Run(self.settings.home, SOURCE, SCENARIO, self.written.last_day)
        self.results: dict[str, dict[str, Any]] = {"prepare": self.command(prepare)}
        for name in ("base_stock-1", "newsvendor-1"):
            self.results[name] = self.command(train, candidate=name)
        for name, module in (("evaluate", evaluate), ("register", register)):
            self.results[name] = self.command(module)
        self.results["promote"] = self.command(promote, version=1)
        self.results["decide"] = self.command(decide, version=None, budget=None)

    def command(self, module: Any, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = module.run(
            settings=self.settings, source=SOURCE, scenario=SCENARIO, run_date=self.written.last_day, **more
        )
        return found

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake, SOURCE)

    @property
    def figures(self) -> NightFigures:
        return read_figures(self.run.evaluation)

    def history(self, pipeline: Pipeline | None = None) -> OrderHistory:
        asked, horizon = pipeline or two_formulas(), self.written.last_day
        return read_history(asked, self.lake, read_transitions(asked, self.lake, horizon), horizon)

    def dataset(self, pipeline: Pipeline | None = None) -> OrderDataset:
        return prepare_orders(pipeline or two_formulas(), self.lake, self.written.last_day)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        for name in ("prepare", "train", "evaluate", "register", "promote", "decide", "decide_orders"):
            patched.setattr(f"rl.commands.{name}.load_pipeline", lambda *_: two_formulas())
        yield SalesNight(tmp_path_factory.mktemp("sales") / "home")


def test_sales_are_read_and_stock_is_simulated(night: SalesNight) -> None:
    """Nothing that the shop counted or ordered is looked at; no day hides demand, and nothing goes astray."""
    found = night.history()
    assert found.declared == DECLARED
    np.testing.assert_array_equal(found.units["sold"], night.written.units["sold"])
    assert not found.ran_out.any() and not found.astray.any()
    assert found.unlisted.products == ()
    assert (found.units["ordered"] != night.written.units["ordered"]).any()
    levels = DECLARED.levels(found.units["sold"], found.is_known, found.weekday)
    position = found.pipeline.sum(axis=2) + found.units["ordered"]
    whole_packs = (found.units["ordered"] % found.pack_size[:, None] == 0).all()
    near = np.abs(position - levels[:, :-1])[found.is_known & (found.units["ordered"] > 0)]
    assert whole_packs and near.max() <= found.pack_size.max() / 2


def test_today_s_rule_in_a_replay_is_the_simulation(night: SalesNight) -> None:
    """From the middle of the log on, on each day: its orders, stock and what it left."""
    dataset = night.dataset()
    basis, history = OrderBasis.of(dataset), dataset.history
    days = dataset.splits["test"]
    span = basis.span(days)
    led = span.led_as_logged(basis.demand(span, 1))
    for name, flow in (("opening", "opening"), ("ordered", "ordered"), ("closing", "closing")):
        np.testing.assert_array_equal(led.flows[name], history.units[flow][:, days], err_msg=name)
    np.testing.assert_array_equal(led.flows["sold"] + led.lost, history.units["sold"][:, days])


def test_another_declaration_is_another_dataset(night: SalesNight) -> None:
    assert night.dataset(two_formulas(safety=1.0)).digest != night.dataset().digest
    assert night.dataset().digest == night.results["prepare"]["dataset_digest"]


def test_every_page_repeats_that_stock_is_simulated(night: SalesNight) -> None:
    """The buyer's page first of all, what the approver reads, the version, the list and its summary."""
    sentence, figures = DECLARED.sentence, night.figures
    assert figures.orders is not None and figures.orders.simulated_stock == sentence
    page = night.run.page.read_text(encoding="utf-8").replace("&#39;", "'")
    assert page.index(sentence) < page.index("Declared, not measured") < page.index("Verdict on")
    assert (
        "`decide --stock FILE` makes it of what you have" in page
        and "ran out" not in page.split("</header>")[1].split("tiles")[0]
    )
    assert sentence in approval_request(figures).rests_on
    with open_store(night.settings) as client:
        version = client.get_model_version(MODEL, "1")
    assert sentence in version.description and sentence in version.tags["nightcart.rests_on"]
    assert version.tags["nightcart.stock"] == "simulated"
    assert night.results["decide"]["simulated_stock"] == sentence
    site = Path(home.run(settings=night.settings)["page"]).read_text(encoding="utf-8").replace("&#39;", "'")
    assert sentence in site and "EUR per product and week" in site and "per episode" not in site
    lists = night.lake.order_lists(SCENARIO)
    (pointer,) = read_pointers(lists).values()
    rows = pq.ParquetFile(lists / pointer.files[0]).read().to_pylist()
    assert all(
        "(simulated, since the log counts none: `decide --stock` takes what you have)" in row["reason"] for row in rows
    )


def test_a_gain_over_the_declared_rule_is_judged_as_any(night: SalesNight) -> None:
    """The rule is poor: a formula is better on the log's sales, and truly."""
    figures = night.figures
    assert figures.gain is not None and figures.gain.baseline == "today's rule as declared, on simulated stock"
    assert figures.over_control is None  # nobody keeps to a declared rule
    told = " ".join(night.results["register"]["reasons"])
    assert "per product and week against today's rule as declared, on simulated stock" in told
    assert figures.verdict.decision == "promote"
    orders = figures.orders
    assert orders is not None
    today, chosen = orders.way("today"), orders.way("candidate")
    assert today is not None and today.truth is not None and chosen is not None and chosen.truth is not None
    assert chosen.earned.value > today.earned.value and chosen.truth > today.truth
    assert {one.metric for one in figures.guardrails} == {"ran_out", "sold"}


def test_days_after_a_product_left_are_asked_for_by_nobody(night: SalesNight) -> None:
    """A log of sales doesn't tell that it left; of a product that the shop never had nothing is known."""
    dataset = night.dataset()
    span = OrderBasis.of(dataset).span(dataset.splits["test"])
    assert (true_demand(night.settings.home, SOURCE, span)[span.is_known] >= 0).all()
    strange = tuple(f"x{name}" for name in dataset.history.products)
    object.__setattr__(span.history, "products", strange)
    with pytest.raises(ShopError, match="another shop's"):
        true_demand(night.settings.home, SOURCE, span)


def test_the_page_says_what_the_gain_would_be_over_the_declared_rule_at_its_best(night: SalesNight) -> None:
    """The declared safety is too low: over a better one the gain is smaller, and everybody who approves reads so."""
    figures = night.figures
    assert figures.orders is not None and figures.gain is not None
    rule = figures.orders.declared_rule
    assert rule is not None and rule.gain is not None and rule.best_safety > rule.safety == 0.3
    assert figures.gain.value is not None and rule.gain.value < figures.gain.value
    told = declared_rule_sentence(figures, figures.orders)
    assert told.startswith(
        f"The gain rests on the declared safety of 0.3. Had the shop ordered with {rule.best_safety:g}"
    )
    page = night.run.page.read_text(encoding="utf-8")
    assert told in page and told in approval_request(figures).rests_on
    dataset = night.dataset()
    basis = OrderBasis.of(dataset)
    span = basis.tuned_on
    earned = {
        safety: int(span.led_as_declared(replace(DECLARED, safety=safety), span.sold).earned.sum())
        for safety in (rule.safety, rule.best_safety - 0.25, rule.best_safety, rule.best_safety + 0.25)
    }
    assert max(earned, key=earned.__getitem__) == rule.best_safety


def test_the_declared_rule_led_through_test_days_is_today_s_rule(night: SalesNight) -> None:
    """To the unit: it is the simulation itself."""
    dataset = night.dataset()
    span = OrderBasis.of(dataset).span(dataset.splits["test"])
    ruled, logged = span.led_as_declared(DECLARED, span.sold), span.led_as_logged(span.sold)
    np.testing.assert_array_equal(ruled.flows["ordered"], logged.flows["ordered"])
    np.testing.assert_array_equal(ruled.earned, logged.earned)


def stock_file(folder: Path, text: str) -> Path:
    path = folder / "stock.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_the_list_may_be_made_of_what_the_shop_has(night: SalesNight, tmp_path: Path) -> None:
    """Its own count in place of the simulated stock: the champion's own orders, and no word of simulation."""
    history = night.history()
    listed = [history.products[row] for row in np.flatnonzero(history.is_listed).tolist()]
    lines = [f"{name},{4 * number},{number}" for number, name in enumerate(listed)]
    path = stock_file(tmp_path, "item_id,on_hand,on_the_way\n" + "\n".join([*lines, "unknown,5,0"]))
    own = with_own_stock(history, read_own_stock(path, 3))
    policy = load_order_policy(night.run.candidate(night.figures.selected.name) / "policy")
    expected = tomorrow_orders(policy, own)
    assert expected.on_hand.tolist() == [4 * number for number in range(len(listed))]
    assert expected.on_the_way.tolist() == list(range(len(listed)))
    assert unknown_products(history, read_own_stock(path, 3)) == ("unknown",)
    result = night.command(decide, version=1, budget=None, stock=path)
    assert result["not_in_the_log"] == ["unknown"]
    with pytest.raises(PolicyError, match="made of what the shop has, and one of simulated stock would take its place"):
        night.command(decide, version=1, budget=None)
    assert night.command(decide, version=1, budget=None, stock=path)["is_new"] is False
    assert result["units_ordered"] == int(expected.order.sum()) and result["own_stock"] == "stock.csv"
    assert "simulated_stock" not in result
    assert not any("simulated" in expected.reason(row) for row in range(len(expected)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "item_id,units\nx,1\n",
            "unknown columns units; expected item_id, on_hand, and perhaps on_the_way or due_in_1d",
        ),
        ("item_id\nx\n", "expected item_id, on_hand"),
        ("item_id,on_hand\nx,1\nx,2\n", "line 3: x stands twice"),
        ("item_id,on_hand\nx,1.5\n", "line 2: on_hand is '1.5'; expected a whole number"),
        ("item_id,on_hand\nx,\n", "line 2: no on_hand; write 0"),
        ("item_id,on_hand\nx,-1\n", "line 2: on_hand is '-1'"),
        ("item_id,on_hand\nx,1,234\n", "line 2: 3 fields, expected 2; numbers have no commas"),
        ("item_id,on_hand,on_hand\nx,1,2\n", "columns item_id, on_hand, on_hand; expected"),
        ("item_id,on_hand\nx,99999999999999999999\n", "of at most 9 digits"),
        ('item_id,on_hand\nx,"1\n', "can't be read as CSV in UTF-8"),
    ],
)
def test_a_stock_that_says_nothing_right_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """By its line."""
    with pytest.raises(DatasetError, match=re.escape(expected)):
        read_own_stock(stock_file(tmp_path, text), 3)


def test_a_stock_without_a_product_of_the_list_is_refused(night: SalesNight, tmp_path: Path) -> None:
    """Nothing is taken for nothing; and where the log counts, its counts are taken."""
    own = read_own_stock(stock_file(tmp_path, "item_id,on_hand,due_in_2d\n70001,3,2\n"), 3)
    assert own.units["70001"].tolist() == [3, 0, 2]
    history = night.history()
    with pytest.raises(PolicyError, match=r"stock\.csv lacks \d+ of the \d+ products that are in the range"):
        with_own_stock(history, own)
    with pytest.raises(PolicyError, match="the log counts its stock"):
        with_own_stock(replace(history, declared=None), own)


def test_a_budget_is_refused_here_too(night: SalesNight) -> None:
    with pytest.raises(SpecError, match="leave out --budget"):
        night.command(decide, version=None, budget=5.0)
