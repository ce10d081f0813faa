"""Weights and states of one run on disk, so that a crash at any moment leaves something whole.

Owns: `state-<step>.safetensors`, `model.safetensors` and the `manifest.json` that commits them. The order of writing:
the new file complete and synced under its own name, then the manifest that names it and its SHA-256, then the oldest
state goes. A file is parsed only after its hash agreed with the manifest. Leaves to `core.runs` everything else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import CheckpointError
from core.files import read_json, sha256, write_atomic, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from core.training.events import State

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"


def save_state(folder: Path, state: State, metrics_bytes: int) -> None:
    """Add a state, keep the one before it, drop older ones.

    metrics_bytes: length of metrics.jsonl that this state knows of. Raises: OSError when the disk refuses.
    """
    path = folder / f"state-{state.step}.safetensors"
    metadata = {"counters": json.dumps(state.counters), "metrics_bytes": str(metrics_bytes)}
    _write_tensors(path, state.tensors, metadata)
    manifest = read_manifest(folder)
    current, new = manifest.get("current"), _entry(path)
    manifest |= {"current": new}
    if current and current["file"] != new["file"]:
        manifest["previous"] = current
    write_json(folder / MANIFEST, manifest)
    _drop_states_outside(folder, manifest)


def load_state(folder: Path) -> tuple[State, int, str] | None:
    """The newest whole state, the metrics length that it knows of, and a warning ("" when all is well).

    A damaged state is set aside as `<name>.damaged` and the one before it is used. None when no state was stored.

    Raises: CheckpointError when states were stored and none of them is whole.
    """
    manifest = read_manifest(folder)
    entries = [manifest[key] for key in ("current", "previous") if manifest.get(key)]
    warning = ""
    for entry in entries:
        path = folder / entry["file"]
        if _is_whole(path, entry):
            return *_read_state(path), warning
        warning = f"The checkpoint {path.name} was damaged, so it goes on from the one before. "
        if path.exists():
            path.replace(path.with_suffix(".damaged"))
    if entries:
        raise CheckpointError("Every stored checkpoint of this run is damaged. Fork it to train again from the start.")
    return None


def drop_states(folder: Path) -> None:
    """Forget all states of a run that has ended; its weights stay."""
    manifest = {key: entry for key, entry in read_manifest(folder).items() if key.startswith("best")}
    write_json(folder / MANIFEST, manifest)
    _drop_states_outside(folder, manifest)


def save_weights(folder: Path, tensors: dict[str, Tensor], step: int) -> None:
    """Replace the best weights.

    The manifest first says that either file may be found, then the file is replaced, then the manifest says which:
    a crash in between leaves weights that still agree with it. Raises: OSError when the disk refuses.
    """
    path = folder / WEIGHTS
    manifest = read_manifest(folder)

    def write(temporary: Path) -> None:
        from safetensors.torch import save_file

        save_file(tensors, temporary, {"step": str(step)})
        manifest["best_pending"] = {**_entry(temporary), "file": WEIGHTS, "step": step}
        write_json(folder / MANIFEST, manifest)

    write_atomic(path, write)
    manifest["best"] = manifest.pop("best_pending")
    write_json(folder / MANIFEST, manifest)


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The best weights by the names of the network's state_dict: float32 on the CPU, float16 in some runs that ship.

    Raises: CheckpointError when there are none yet, or the file is not the one that was written.
    """
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    manifest = read_manifest(folder)
    entries = [manifest[key] for key in ("best", "best_pending") if manifest.get(key)]
    if not entries and folder.name.startswith("ref-"):
        raise CheckpointError(
            f"Run {folder.name} ships with its curves and answers only; the weights are with another seed of the same. "
            "Take one that has them, or fork the run to train it again."
        )
    if not entries:
        raise CheckpointError(f"Run {folder.name} has no weights yet: its first epoch is not done. Let it train on.")
    if not any(_is_whole(path, entry) for entry in entries):
        raise CheckpointError(
            f"The weights of run {folder.name} are not the ones that it wrote: {WEIGHTS} is damaged or missing. "
            "Resume the run if it is not finished, or fork it to train again."
        )
    return load_file(path)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest; empty when nothing was stored yet.

    Raises: CheckpointError when it is damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        manifest = read_json(path)
        for key in ("current", "previous", "best", "best_pending"):
            if key in manifest:
                _check_entry(manifest[key])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The manifest of run {folder.name} is damaged ({error}). Fork the run.") from None
    return manifest


def _check_entry(entry: dict[str, Any]) -> None:
    """Raises: ValueError when an entry could name a file outside the run."""
    name = entry["file"]
    if not (name == WEIGHTS or (name.startswith("state-") and Path(name).name == name)) or not entry["sha256"]:
        raise ValueError(f"it names {name!r}")


def _write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    from safetensors.torch import save_file

    write_atomic(path, lambda temporary: save_file(tensors, temporary, metadata))


def _entry(path: Path) -> dict[str, Any]:
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}


def _is_whole(path: Path, entry: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == entry["bytes"] and sha256(path) == entry["sha256"]


def _read_state(path: Path) -> tuple[State, int]:
    from safetensors import safe_open

    from core.training.events import State

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    return State(tensors, json.loads(metadata["counters"])), int(metadata["metrics_bytes"])


def _drop_states_outside(folder: Path, manifest: dict[str, Any]) -> None:
    kept = {manifest[key]["file"] for key in ("current", "previous") if key in manifest}
    for path in folder.glob("state-*.safetensors"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
