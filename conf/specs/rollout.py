"""How a promotion grows: which shares of the shoppers get the new version, and on what evidence the next one."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel


class Beyond(StrictModel):
    """What has to be shown before a version decides for more than a share of the shoppers."""

    share: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="Sets the largest share that a version reaches by the schedule's own margin.",
        examples=[0.1],
    )
    margin: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Grows past `share` where the new version is shown to earn no less than this share below the "
        "replaced one; a smaller `schedule.margin` holds instead.",
        examples=[0.05],
    )
    level: float = Field(
        default=0.005,
        gt=0,
        lt=0.5,
        description="Bounds the chance that a version that earns `margin` less, or worse, grows past `share`, over all "
        "looks, however few the shoppers are.",
        examples=[0.01],
    )


class Schedule(GrownModel):
    """When stages of a shop grow that is too small to be looked at every day."""

    later_keys: ClassVar[frozenset[str]] = frozenset({"beyond"})

    days: int = Field(
        ge=1,
        le=90,
        description="Sets after how many counted days of a stage growth is decided, and again after as many more.",
        examples=[7],
    )
    margin: float = Field(
        gt=0,
        lt=1,
        description="Grows where the new version is shown to earn no less than this share below the replaced one: a "
        "small shop can show a wide margin alone.",
        examples=[0.2],
    )
    beyond: Beyond = Field(
        default=Beyond(),
        description="Says what has to be shown before the version decides for more than a quarter of the shoppers: a "
        "margin that lets a version grow that is worse by less is wide enough to try one, and not to hand it the shop.",
        examples=[{"margin": 0.05, "level": 0.01}],
    )


class Lasting(StrictModel):
    """What has to be shown of shoppers who had time to come back before many get the new version."""

    share: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="Sets the largest share that a version reaches before shoppers had time to come back to it, or to "
        "stay away.",
        examples=[0.1],
    )
    margin: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Grows past `share` where the shoppers drawn in the first stage, from the day on which most have "
        "come back, are shown to bring no less than this share below; a wider `schedule.margin` holds instead.",
        examples=[0.2],
    )
    days: int | None = Field(
        default=None,
        ge=1,
        le=365,
        description="Sets after how many days of a launch most shoppers have come back; null takes the days within "
        "which four in five of those did who came back before the launch.",
        examples=[14],
    )


class Rollout(GrownModel):
    """A promotion by stages."""

    later_keys: ClassVar[frozenset[str]] = frozenset({"lasting"})

    stages: tuple[float, ...] = Field(
        default=(0.05, 0.25, 0.5, 1.0),
        min_length=2,
        max_length=10,
        description="Lists the shares of the shoppers who get the new version, ascending; the last one is 1. A greater "
        "share keeps those of the former one.",
        examples=[[0.1, 0.5, 1.0]],
    )
    shadow_days: int = Field(
        default=0,
        ge=0,
        le=90,
        description="Sets for how many days the new version decides in the shadow first: beside what it replaces, "
        "logged, and answered to nobody. It then begins with the first of `stages`, unless its decisions failed.",
        examples=[3],
    )
    level: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Bounds the chance that a version as good as the replaced one is taken back as worse, and the "
        "chance that one worse by `margin` grows, each over all looks of a launch together.",
        examples=[0.05],
    )
    margin: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="Grows where the new version is shown to earn no less than this share below the replaced one.",
        examples=[0.05],
    )
    min_days: int = Field(
        default=3,
        ge=1,
        le=90,
        description="Sets how many days of a stage must be counted before it grows.",
        examples=[7],
    )
    covariate_days: int = Field(
        default=28,
        ge=0,
        le=365,
        description="Sets over how many days before a stage a shopper's value is taken as what is known of them "
        "anyway, which makes the comparison sharper; 0 takes none.",
        examples=[28],
    )
    lasting: Lasting = Field(
        default=Lasting(),
        description="Says what has to be shown of shoppers who had time to come back before more than a quarter get "
        "the new version: one that drives shoppers away, or brings them back, shows it no sooner.",
        examples=[{"margin": 0.2, "days": 14}],
    )
    schedule: Schedule | None = Field(
        default=None,
        description="Decides growth on some days alone, by a wider margin: for shops too small for `margin`. Whether "
        "the new version is worse is asked every day even then.",
        examples=[{"days": 7, "margin": 0.2}],
    )
    on_retreat: Literal["rollback", "hold"] = Field(
        default="rollback",
        description="Says what follows where the new version is shown to be worse: the replaced one is champion again "
        "(`rollback`), or the share stays and a person decides (`hold`).",
        examples=["hold"],
    )

    @field_validator("stages")
    @classmethod
    def _ascend_to_all(cls, stages: tuple[float, ...]) -> tuple[float, ...]:
        if stages[0] <= 0 or stages[-1] != 1 or any(later <= earlier for earlier, later in pairwise(stages)):
            raise ValueError(f"expected shares above 0 that ascend to 1, such as [0.05, 0.25, 1], got {list(stages)}")
        return stages

    @property
    def n_tested(self) -> int:
        """Stages at which the new version is compared with the replaced one: all but the last."""
        return len(self.stages) - 1

    def next_share(self, share: float) -> float:
        """Return the share that follows a stage's: the first one above it."""
        return next(one for one in self.stages if one > share)
