from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow.pyfunc
import pytest
from mlflow.models import get_model_info

from conf.observation_features import id_hash
from rl.registry.pyfunc_model import save_pyfunc
from tests.rl.policy.policies import make_policy

CLIENT = """
import json, sys
import mlflow.pyfunc, pandas as pd
rows = json.loads(sys.argv[2])
model = mlflow.pyfunc.load_model(sys.argv[1])
found = model.predict(pd.DataFrame(rows), params={"seed": 7})
loaded = [name for name in ("torch", "d3rlpy") if name in sys.modules]
print(json.dumps({"rows": found.to_dict("records"), "loaded": loaded, "code": sys.modules["rl"].__file__}))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    make_policy().save(folder / "policy")
    save_pyfunc(folder / "policy", folder / "saved")
    return folder / "saved"


def test_model_loads_in_a_clean_process_without_pickle(saved: Path, tmp_path: Path) -> None:
    """With pickle refused and the project off the path, the saved model decides as the policy does."""
    rows = [
        {"session_step": 0, "recent_shown_items": [], "available_actions": None},
        {"session_step": 1, "recent_shown_items": [id_hash("a")], "available_actions": ["b", "unheard of"]},
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # the model's folder stays as it was saved
    finished = subprocess.run(
        [sys.executable, "-c", CLIENT, str(saved), json.dumps(rows)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout.splitlines()[-1])
    assert answer["loaded"] == []
    assert Path(answer["code"]).is_relative_to(saved)
    first, second = answer["rows"]
    assert first["probabilities"][first["action"]] == first["propensity"]
    assert set(first["probabilities"]) == {"a", "b", "c"}
    assert (second["action"], second["propensity"]) == ("b", 1.0)
    assert first["policy_version"] == make_policy().version


def test_saved_model_holds_no_pickle(saved: Path) -> None:
    """Everything in the model is text or safetensors."""
    suffixes = {path.suffix for path in saved.rglob("*") if path.is_file()}
    assert suffixes <= {".py", ".json", ".yaml", ".txt", ".safetensors", ""}
    assert sorted(path.name for path in (saved / "data" / "policy").iterdir()) == [
        "policy.json",
        "weights.safetensors",
    ]


def test_saved_model_names_its_columns(saved: Path) -> None:
    """The signature, that MLflow holds calls against, says what a call has to hold and what comes back."""
    signature = get_model_info(str(saved)).signature
    inputs, outputs = signature.inputs.to_dict(), signature.outputs.to_dict()
    assert [(one["name"], one["type"], one["required"]) for one in inputs] == [
        ("session_step", "long", True),
        ("recent_shown_items", "array", True),
        ("available_actions", "array", False),
    ]
    assert [one["name"] for one in outputs] == ["action", "propensity", "probabilities", "policy_version"]


def test_saved_model_answers_its_own_example(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What MLflow's page shows as a call is one."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # loading puts the model's code in front of the project's
    model = mlflow.pyfunc.load_model(str(saved))
    example = model.input_example
    assert example["available_actions"].tolist() == [["a", "b", "c"]]
    (propensity,) = model.predict(example)["propensity"]
    assert 0 < propensity <= 1
