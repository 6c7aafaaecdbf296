"""What people decided about versions: approved by one or two of them and promoted, or rejected for good.

The home's record comes first, then the version's tags and the aliases: killed in between, the same command again ends
where one whole one does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from mlflow import MlflowClient

from conf.settings import Settings
from rl.errors import RefusedRequest, RegistryChanged
from rl.registry.approvals import Approval, Standing, approvers, read_approvals, standing, write_down
from rl.registry.entry import TAG
from rl.registry.person import Person
from rl.registry.promotion import Promotion, may_be_promoted, move_aliases, registered_night
from rl.registry.store import CHALLENGER, CHAMPION, PREVIOUS, aliases
from rl.registry.versions import REJECTED, RegisteredVersion, load_version

_LONGEST_TAG = 1000


def promote_on_word(  # noqa: PLR0913  (each is part of the word)
    client: MlflowClient,
    settings: Settings,
    model: str,
    version: int,
    *,
    source: str,
    run_date: date,
    people: Sequence[Person],
    n_needed: int = 1,
    begin: Callable[[int | None], None] = lambda _: None,
) -> Promotion:
    """Make a version champion on the word of as many people as it needs, and return what moved.

    Call it under the registry's lock. `skipped` of what is returned says why nothing moved: the gate's verdict isn't
    promote, or the word of a second person is missing; what the first one said is in the record then.

    Args:
        client: MLflow's, from `open_store`.
        settings: name the home that holds the record.
        model: registered model.
        version: that is approved.
        source: of its night.
        run_date: of its night.
        people: who approve it now, with why.
        n_needed: how many different people have to have approved it, those of earlier calls among them.
        begin: what has to stand before the version counts as approved; is told the version that it replaces. Done
            again, it changes nothing.

    Raises:
        RefusedRequest: no such version, not of this night, rejected before, or the approval went stale.
        RegistryChanged: the alias champion was moved by hand; it has to be put back first.
    """
    found = registered_night(client, model, version, source=source, run_date=run_date)
    known, held = standing(settings, model), aliases(client, model)
    _refuse_rejected(found, known)
    _refuse_moved_champion(found, known, held)
    if held.get(CHAMPION) == version == known.champion:
        return move_aliases(client, found, held, previous=held.get(PREVIOUS), is_new=False)
    if known.champion == version:
        entry = next(one for one in reversed(read_approvals(settings, model)) if one.version == version)
        _tag_approved(client, settings, found, entry)
        return move_aliases(client, found, held, previous=entry.replaced, is_new=True)
    if (refusal := may_be_promoted(found, held)) is not None:
        return refusal
    last = _last_word(settings, found, people, n_needed)
    if last is None:
        return _waiting(settings, found, held)
    replaced = held.get(PREVIOUS) if held.get(CHAMPION) == version else held.get(CHAMPION)
    begin(replaced)
    entry = write_down(settings, model, "promote", version, replaced=replaced, who=last.who, why=last.why)
    _tag_approved(client, settings, found, entry)
    return move_aliases(client, found, held, previous=replaced, is_new=held.get(CHAMPION) != version)


def reject_version(client: MlflowClient, settings: Settings, model: str, version: int, person: Person) -> Approval:
    """Reject a version for good, and return the record of it: it is no challenger, and nothing approves it any more.

    Call it under the registry's lock. Done again it changes nothing: the first word stands.

    Raises:
        RefusedRequest: there is no such version, it is champion, or the gate didn't pass it.
    """
    found = _required(client, model, version)
    known, held = standing(settings, model), aliases(client, model)
    if known.champion == version or held.get(CHAMPION) == version:
        raise RefusedRequest(
            f"{model} version {version} is the champion, which nobody can reject any more; `make rollback` goes back "
            "to the one before, `make off` serves the fallback alone"
        )
    entry = known.rejected.get(version)
    if entry is None:
        if found.tags.get("verdict") != "promote":
            raise RefusedRequest(
                f"{model} version {version}: the gate's verdict is {found.tags.get('verdict')}, so that nobody was "
                "asked; there is nothing to reject"
            )
        entry = write_down(settings, model, "reject", version, replaced=None, who=person.who, why=person.why)
    client.set_model_version_tag(model, str(version), TAG + REJECTED, _short(str(entry)))
    _tag(client, found, "rejected", entry.who, entry)
    if held.get(CHALLENGER) == version:
        client.delete_registered_model_alias(model, CHALLENGER)
    return entry


def _required(client: MlflowClient, model: str, version: int) -> RegisteredVersion:
    found = load_version(client, model, version)
    if found is None:
        raise RefusedRequest(f"{model} has no version {version}; `make review` lists what waits")
    return found


def _refuse_rejected(found: RegisteredVersion, known: Standing) -> None:
    if (entry := known.rejected.get(found.version)) is not None:
        raise RefusedRequest(
            f"{found.model} version {found.version} was rejected ({entry}) and stays so, however often its night is "
            "repeated; a later night registers another version"
        )


def _refuse_moved_champion(found: RegisteredVersion, known: Standing, held: dict[str, int]) -> None:
    """Raise if somebody moved the alias champion in MLflow; nothing is compared with, or promoted over, such a one."""
    champion = held.get(CHAMPION)
    if known.withdrawn is not None and champion is not None:
        raise RegistryChanged(
            f"{found.model}: the alias champion is on version {champion}, and version {known.withdrawn.replaced} was "
            f"rolled back to the shop's own rule ({known.withdrawn}): it was moved by hand, or that was stopped "
            "half-way; `make restore-aliases` takes it off, then approve again"
        )
    if known.champion is None or known.champion in (champion, found.version):
        return
    where = "is on no version" if champion is None else f"is on version {champion}"
    raise RegistryChanged(
        f"{found.model}: the alias champion {where} and version {known.champion} was approved last: it was moved by "
        "hand; `make restore-aliases` puts it back, then approve again"
    )


def _last_word(settings: Settings, found: RegisteredVersion, people: Sequence[Person], n_needed: int) -> Person | None:
    """Return the person whose word is the last one needed; write down those before, and None where one is missing."""
    said = list(approvers(settings, found.model, found.version))
    for person in people:
        others = [who for who in said if who != person.who]
        if len(others) + 1 >= n_needed:
            return person
        if person.who not in said:
            said.append(person.who)
            write_down(settings, found.model, "approve", found.version, replaced=None, who=person.who, why=person.why)
    return None


def _waiting(settings: Settings, found: RegisteredVersion, held: dict[str, int]) -> Promotion:
    said = ", ".join(approvers(settings, found.model, found.version)) or "nobody"
    return Promotion(
        found.model,
        found.version,
        held.get(CHAMPION),
        held.get(PREVIOUS),
        is_new=False,
        skipped=f"{found.model} version {found.version} changes so many decisions that a second person has to approve "
        f"it; so far {said} did",
    )


def _tag_approved(client: MlflowClient, settings: Settings, found: RegisteredVersion, entry: Approval) -> None:
    before = [who for who in approvers(settings, found.model, found.version) if who != entry.who]
    _tag(client, found, "approved", ", ".join([*before, entry.who]), entry)


def _tag(client: MlflowClient, found: RegisteredVersion, decision: str, who: str, entry: Approval) -> None:
    """Write the decision to the version: what, by whom, when (UTC) and why."""
    told = {
        "decision": decision,
        "decided_by": who,
        "decided_at": f"{entry.at:%Y-%m-%d %H:%M:%S} UTC",
        "decided_because": entry.why,
    }
    for name, value in told.items():
        client.set_model_version_tag(found.model, str(found.version), TAG + name, _short(value))


def _short(text: str) -> str:
    """Return the text within what MLflow takes as a tag; the record holds it whole."""
    return text if len(text) <= _LONGEST_TAG else f"{text[: _LONGEST_TAG - 1]}…"
