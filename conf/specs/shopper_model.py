"""The spec of a model of shoppers' behaviour: a file of `conf/models`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from conf.errors import SpecError
from conf.settings import PROJECT_ROOT
from conf.specs.key_kinds import LEARNING, OPERATION
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel, parse_model, read_yaml, suggest

MODELS_FOLDER = PROJECT_ROOT / "conf" / "models"

Target = Literal["purchase", "churn", "spend", "session_purchase"]
Learner = Literal["trees", "logistic", "blend"]
Feature = Literal[
    "days_since_visit",
    "days_since_purchase",
    "tenure_days",
    "mean_gap_days",
    "n_visit_days",
    "n_purchases",
    "spend",
    "discount",
    "weekday_visits",
    "session_step",
    "n_session_clicks",
    "n_session_carts",
    "n_session_purchases",
    "seconds_since_session_start",
    "seconds_since_previous_event",
    "hour_of_day",
    "day_of_week",
]

WINDOWED: frozenset[str] = frozenset({"n_visit_days", "n_purchases", "spend", "discount"})
"""Features that are counted once for each window."""


OF_SESSIONS: frozenset[str] = frozenset(
    {
        "session_step",
        "n_session_clicks",
        "n_session_carts",
        "n_session_purchases",
        "seconds_since_session_start",
        "seconds_since_previous_event",
        "hour_of_day",
        "day_of_week",
    }
)
"""Features of a running session, as the kernel makes them for decisions: what it had seen before the step."""

SESSION_DAYS = 3
"""Business days that a session may reach: it is cut at the second midnight after its start, and closes a gap later."""


class ShopperModelSplit(StrictModel):
    """How the as-of days are divided, in time: the rest, at the end, is for the test."""

    fit_share: float = Field(
        default=0.6,
        gt=0,
        lt=1,
        description="Fits learners on this share of the as-of days, the earliest.",
        examples=[0.6],
    )
    calibration_share: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Calibrates them on this share of the as-of days, the next.",
        examples=[0.2],
    )

    @model_validator(mode="after")
    def _leaves_a_test(self) -> Self:
        if self.fit_share + self.calibration_share >= 1:
            raise ValueError(
                f"fit_share {self.fit_share} and calibration_share {self.calibration_share} leave no as-of days for "
                "the test; make them less than 1 together"
            )
        return self


class ShopperModelGate(StrictModel):
    """What a model must show on its test days before it may be promoted."""

    min_slope: float = Field(
        default=0.8,
        gt=0,
        description="Bounds the calibration slope from below; as it is estimated on the test days.",
        examples=[0.8],
    )
    max_slope: float = Field(
        default=1.25,
        gt=0,
        description="Bounds the calibration slope from above; as it is estimated on the test days.",
        examples=[1.25],
    )
    margin: float = Field(
        default=0.002,
        ge=0,
        description="Bounds how much worse than the champion's the mean loss may be, by the bound of the paired "
        "difference, as a share of the constant's loss.",
        examples=[0.002],
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.min_slope < self.max_slope:
            raise ValueError(f"min_slope {self.min_slope} isn't below max_slope {self.max_slope}")
        return self


class ShopperModel(GrownModel):
    """What is predicted of each shopper, from what, how it is learned, and when it may serve."""

    reference: ClassVar[str] = "docs/reference-models.md"

    name: str = Field(
        json_schema_extra=LEARNING,
        pattern=r"^[a-z][a-z0-9-]*$",
        description="Names the model as its file is named, in lower-case letters, digits and hyphens.",
        examples=["purchase-propensity-7"],
    )
    title: str = Field(
        json_schema_extra=LEARNING,
        description="Says in a few words what is predicted, for pages.",
        examples=["Will buy within 7 days"],
    )
    target: Target = Field(
        json_schema_extra=LEARNING,
        description="Says what is predicted of the horizon's days: whether the shopper purchases (`purchase`), whether "
        "no visit follows (`churn`), or how much is spent (`spend`); or of a running session, at each of its steps, "
        "whether a purchase follows before it ends (`session_purchase`).",
        examples=["purchase"],
    )
    horizon_days: int = Field(
        json_schema_extra=LEARNING,
        default=SESSION_DAYS,
        ge=1,
        le=366,
        description="Sets how many business days the prediction is about, the as-of day first. It must be given, but "
        "for `session_purchase`, whose horizon is the session's end.",
        examples=[7],
    )
    active_days: int = Field(
        json_schema_extra=LEARNING,
        default=1,
        ge=1,
        le=3660,
        description="Takes shoppers who visited on one of this many days before the as-of day. It must be given, but "
        "for `session_purchase`, which takes every session that starts on the day.",
        examples=[90],
    )
    history_days: int = Field(
        json_schema_extra=LEARNING,
        default=365,
        ge=1,
        le=3660,
        description="Looks back this many business days; what lies earlier doesn't count.",
        examples=[365],
    )
    windows: tuple[int, ...] = Field(
        json_schema_extra=LEARNING,
        default=(7, 28, 90),
        min_length=1,
        description="Sets the days over which windowed features are counted, ascending.",
        examples=[[7, 28, 90]],
    )
    features: tuple[Feature, ...] = Field(
        json_schema_extra=LEARNING,
        min_length=1,
        description="Names what is known of a shopper at the as-of day; windowed ones are taken once for each window.",
        examples=[["days_since_visit", "n_visit_days", "n_purchases"]],
    )
    step_days: int = Field(
        json_schema_extra=LEARNING,
        default=7,
        ge=1,
        description="Sets the days between as-of days, counted back from the last whose horizon is over.",
        examples=[7],
    )
    n_as_of_days: int = Field(
        json_schema_extra=LEARNING,
        default=20,
        ge=3,
        le=400,
        description="Bounds the number of as-of days, the latest of those that the log allows.",
        examples=[20],
    )
    split: ShopperModelSplit = Field(
        json_schema_extra=LEARNING,
        default_factory=ShopperModelSplit,
        description="Divides the as-of days in time.",
        examples=[{"fit_share": 0.6, "calibration_share": 0.2}],
    )
    learners: tuple[Learner, ...] = Field(
        json_schema_extra=LEARNING,
        default=("trees", "logistic"),
        min_length=1,
        description="Names the learners: gradient-boosted `trees`, the `logistic` regression (for `spend` a "
        "log-linear one), and the `blend` of trees and BG/NBD: the mean of their log odds (for `spend` of their "
        "logs), for outcomes too rare for trees alone. The first one is registered, the others are shown beside it.",
        examples=[["trees", "logistic"]],
    )
    isotonic_above: int = Field(
        json_schema_extra=LEARNING,
        default=2_000,
        ge=100,
        description="Calibrates by an isotonic curve where the rarer outcome has this many rows on the calibration "
        "days, and by two parameters where it has fewer.",
        examples=[2000],
    )
    max_shoppers: int = Field(
        json_schema_extra=LEARNING,
        default=20_000,
        ge=100,
        description="Learns from the sessions of this many shoppers at most, drawn by their pseudonyms, with `target: "
        "session_purchase`, and only there.",
        examples=[20000],
    )
    scales_short_histories: bool = Field(
        json_schema_extra=LEARNING,
        default=False,
        description="Counts windowed features for a whole window, in proportion, where the log doesn't reach back as "
        "far: as-of days soon after its start are then like later ones. `tenure_days`, which the start bounds, may not "
        "be among the features.",
        examples=[True],
    )
    seed: int = Field(
        json_schema_extra=LEARNING,
        default=0,
        ge=0,
        description="Seeds learners and resampling.",
        examples=[0],
    )
    n_resamples: int = Field(
        json_schema_extra=LEARNING,
        default=1_000,
        ge=200,
        le=10_000,
        description="Sets how often shoppers are resampled for intervals.",
        examples=[1000],
    )
    level: float = Field(
        json_schema_extra=LEARNING,
        default=0.95,
        gt=0.5,
        lt=1,
        description="Sets the level of two-sided intervals.",
        examples=[0.95],
    )
    gate: ShopperModelGate = Field(
        json_schema_extra=LEARNING,
        default_factory=ShopperModelGate,
        description="Says when a model may be promoted.",
        examples=[{"min_slope": 0.8, "max_slope": 1.25}],
    )

    is_nightly: bool = Field(
        json_schema_extra=OPERATION,
        default=False,
        description="Lets Airflow fit the model and score all shoppers every night, once the day's deliveries are "
        "ingested; otherwise it is done by `make shopper-models` alone.",
        examples=[True],
    )

    later_keys: ClassVar[frozenset[str]] = frozenset({"max_shoppers", "scales_short_histories"})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = self._misplaced()
        if self.scales_short_histories and "tenure_days" in self.features:
            problems.append("scales_short_histories leaves no tenure to know; take tenure_days from the features")
        if list(self.windows) != sorted(set(self.windows)) or self.windows[0] < 1:
            problems.append(f"windows {list(self.windows)} aren't ascending days of at least 1")
        if self.windows[-1] > self.history_days:
            problems.append(f"window {self.windows[-1]} is longer than history_days {self.history_days}")
        if self.active_days > self.history_days:
            problems.append(f"active_days {self.active_days} is more than history_days {self.history_days}")
        for key in ("features", "learners"):
            given = getattr(self, key)
            if len(set(given)) < len(given):
                problems.append(f"{key} name one twice")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def is_of_sessions(self) -> bool:
        """True where running sessions are predicted, and not shoppers."""
        return self.target == "session_purchase"

    def _misplaced(self) -> list[str]:
        """Return what sessions have no use for, or shoppers lack."""
        asked = {"horizon_days": SESSION_DAYS, "active_days": 1}
        if self.is_of_sessions:
            return [
                f"{key} is {getattr(self, key)}, and target session_purchase has none; leave it out"
                for key, value in asked.items()
                if getattr(self, key) != value
            ]
        missing = [key for key in asked if key not in self.model_fields_set]
        inside = [name for name in self.features if name in OF_SESSIONS]
        found = [f"this key is missing: {key}" for key in missing]
        if inside:
            found.append(f"features {', '.join(inside)} are of a running session; write target: session_purchase")
        if self.max_shoppers != type(self).model_fields["max_shoppers"].default:
            found.append("max_shoppers is for target: session_purchase")
        return found


def shopper_model_names(folder: Path = MODELS_FOLDER) -> list[str]:
    """Return the names of all models, ascending."""
    return sorted(one.stem for one in folder.glob("*.yaml"))


def load_shopper_model(name: str, folder: Path = MODELS_FOLDER) -> ShopperModel:
    """Return the model's spec.

    Raises:
        SpecError: no such file, or it isn't a spec; lists every violation.
    """
    path = folder / f"{name}.yaml"
    known = shopper_model_names(folder)
    if name not in known:
        raise SpecError(f"{path}: there is no such model{suggest(name, known) if known else ''}")
    model = parse_model(ShopperModel, read_yaml(path), str(path))
    if model.name != name:
        raise SpecError(f"{path}: its name is {model.name!r}; expected {name!r}, as the file is named")
    return model
