"""The champion of a scenario that decides on orders, as a policy that can be led through logged demand."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rl.errors import PolicyError
from rl.inventory.order_days import OrderDays
from rl.inventory.order_policy import ORDER_POLICY_FILE, OrderPolicy, load_order_policy
from rl.page.wording import counted
from rl.registry.champion import strange_version, unloadable, version_folder, version_in_force
from rl.registry.entry import NightKey
from rl.registry.versions import RegisteredVersion


@dataclass(frozen=True)
class OrderChampion:
    """The version whose orders are placed, and its policy where it can be compared.

    Attributes:
        version: its registry entry.
        policy: None where it can't be compared.
        problem: why not; empty where it can.
    """

    version: RegisteredVersion
    policy: OrderPolicy | None
    problem: str = ""

    @property
    def name(self) -> str:
        return f"champion (version {self.version.version})"


def find_order_champion(
    client: MlflowClient, key: NightKey, *, lead_days: int, order_days: OrderDays
) -> OrderChampion | None:
    """Return the champion that the night's candidate is compared with; None where there is none.

    Args:
        client: MLflow's, from `open_store`.
        key: of the night.
        lead_days: that the scenario declares; a champion for others orders for another arrival.
        order_days: on which the scenario orders; a champion for others orders for another time.
    """
    version = version_in_force(client, key)
    if version is None:
        return None
    if strange := strange_version(version, key):
        return OrderChampion(version, None, strange)
    try:
        policy = load_version_orders(client, version)
    except (PolicyError, MlflowException, OSError) as error:
        return OrderChampion(version, None, unloadable(version, error))
    if policy.costs.lead_time != lead_days:
        problem = (
            f"it orders for {counted(policy.costs.lead_time, 'day')} of waiting, the scenario now declares {lead_days}"
        )
        return OrderChampion(version, None, problem)
    if policy.order_days != order_days:
        return OrderChampion(version, None, f"it orders {policy.order_days}, the scenario now {order_days}")
    return OrderChampion(version, policy)


def load_version_orders(client: MlflowClient, version: RegisteredVersion) -> OrderPolicy:
    """Return the ordering policy of a version.

    Raises:
        PolicyError: its files aren't those of one.
        MlflowException: they can't be had.
    """
    with version_folder(client, version, ORDER_POLICY_FILE) as folder:
        return load_order_policy(folder)
