"""Weights and states of one run on disk, so that a crash at any moment leaves something whole.

Owns: `state-<step>.safetensors`, `model.safetensors` and the `manifest.json` that commits them. The order of writing:
the new file complete and synced under its own name, then the manifest that names it and the SHA-256 of the bytes that
were to be written, then the oldest state goes. A file is parsed only after its hash agreed with the manifest. Leaves to
`core.runs` everything else.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import CheckpointError, shown
from core.files import read_json, sha256, write_bytes, write_json
from core.tensors import read_tensors, without_number

if TYPE_CHECKING:
    from torch import Tensor

    from core.training.events import State

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
STATE_NAME = re.compile(r"state-[0-9]{1,18}b?\.safetensors\Z")
LARGEST_COUNT = 2**53  # of steps, epochs or bytes; far beyond any run
STATES = ("current", "previous")  # keys of the manifest: the newest state first
OTHERS_WRITE = (".control.json.", ".meta.json.")  # temporary files that may be in use: whoever steers writes them


def save_state(folder: Path, state: State, metrics_bytes: int) -> None:
    """Add a state, keep the one before it, drop older ones.

    metrics_bytes: length of metrics.jsonl that this state knows of. Raises: OSError when the disk refuses.
    """
    from safetensors.torch import save

    manifest = read_manifest(folder)
    name, current = f"state-{state.step}.safetensors", manifest.get("current")
    if current and current["file"] == name:  # paused where it was resumed: the current one stays whole meanwhile
        name = f"state-{state.step}b.safetensors"
    metadata = {"counters": json.dumps(state.counters), "metrics_bytes": str(metrics_bytes)}
    content = save(state.tensors, metadata)
    write_bytes(folder / name, content)
    manifest["current"] = _entry(name, content)
    if current:
        manifest["previous"] = current
    write_json(folder / MANIFEST, manifest)
    _drop_states_outside(folder, manifest)


def load_state(folder: Path, most_bytes: float = math.inf) -> tuple[State, int, str] | None:
    """The newest whole state, the metrics length that it knows of, and a warning ("" when all is well).

    A damaged state is set aside as `<name>.damaged` and the one before it becomes the current one. None when no state
    was stored. most_bytes: a larger file is not even hashed.

    Raises: CheckpointError when states were stored and none of them is whole, or a whole one is no state.
    """
    manifest = read_manifest(folder)
    entries = [manifest.pop(key) for key in STATES if key in manifest]
    warning = ""
    for entry in entries:
        path = folder / entry["file"]
        _refuse_larger(path, most_bytes)
        if is_whole(path, entry):
            if warning:  # the next state must not count the damaged one as the one before it
                write_json(folder / MANIFEST, {**manifest, "current": entry})
            return *_read_state(path), warning
        warning = f"The checkpoint {path.name} was damaged, so it goes on from the one before."
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
    from safetensors.torch import save

    content = save(tensors, {"step": str(step)})
    manifest = read_manifest(folder)
    if "best_pending" in manifest and (best := best_entry(folder, manifest)):  # a crash left open which it is
        manifest["best"] = best
    manifest["best_pending"] = {**_entry(WEIGHTS, content), "step": step}
    write_json(folder / MANIFEST, manifest)
    write_bytes(folder / WEIGHTS, content)
    manifest["best"] = manifest.pop("best_pending")
    write_json(folder / MANIFEST, manifest)


def load_weights(folder: Path, most_bytes: float = math.inf) -> dict[str, Tensor]:
    """The best weights by the names of the network's state_dict: float32 on the CPU, float16 in some runs that ship.

    most_bytes: a larger file is not even hashed.

    Raises: CheckpointError when there are none yet, the file is not the one that was written, or holds no numbers.
    """
    manifest = read_manifest(folder)
    entries = [manifest[key] for key in ("best", "best_pending") if key in manifest]
    if not entries and folder.name.startswith("ref-"):
        raise CheckpointError(
            f"Run {folder.name} ships with its curves and answers only. "
            "Take one that has its weights, as one seed of most recipes does, or fork the run to train it again."
        )
    if not entries:
        raise CheckpointError(f"Run {folder.name} has no weights yet: its first epoch is not done. Let it train on.")
    _refuse_larger(folder / WEIGHTS, most_bytes)
    if not best_entry(folder, manifest):
        raise CheckpointError(
            f"The weights of run {folder.name} are not the ones that it wrote: {WEIGHTS} is damaged or missing. "
            "Resume the run if it is not finished, or fork it to train again."
        )
    tensors, _ = read_tensors(folder / WEIGHTS)
    if name := without_number(tensors):
        raise CheckpointError(
            f"The weights of run {folder.name} hold NaN or infinity in {shown(name)}: a network with them answers "
            "nothing. Fork the run to train it again, with a smaller learning rate."
        )
    return tensors


def step_of_weights(folder: Path) -> int:
    """The step at whose end the best weights on disk were the network's; 0 where there are none.

    Raises: CheckpointError when the manifest is damaged.
    """
    entry = best_entry(folder, read_manifest(folder))
    step = entry.get("step") if entry else 0
    return step if isinstance(step, int) else 0


def best_entry(folder: Path, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest's entry that the best weights on disk agree with; None when they agree with none."""
    entries = [manifest[key] for key in ("best", "best_pending") if key in manifest]
    return next((entry for entry in entries if is_whole(folder / WEIGHTS, entry)), None)


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
        raise CheckpointError(
            f"The manifest of run {folder.name} is damaged ({shown(str(error))}). Fork the run."
        ) from None
    return manifest


def _check_entry(entry: dict[str, Any]) -> None:
    """Raises: ValueError when an entry lacks something or could name a file outside the run."""
    name, size, digest = entry["file"], entry["bytes"], entry["sha256"]
    if not (isinstance(name, str) and isinstance(size, int) and isinstance(digest, str) and digest):
        raise ValueError("it has an entry that is none")
    if name != WEIGHTS and not STATE_NAME.match(name):
        raise ValueError(f"it names {shown(name)}")


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"file": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _refuse_larger(path: Path, most_bytes: float) -> None:
    """Raises: CheckpointError for a file that no network of this run can have filled."""
    if path.is_file() and (size := path.stat().st_size) > most_bytes:
        raise CheckpointError(
            f"The file {path.name} has {size / 1e6:,.0f} MB, but the tensors of this run's network take less than "
            f"{most_bytes / 1e6:,.0f} MB: another program wrote it. Fork the run to train it again."
        )


def is_whole(path: Path, entry: dict[str, Any]) -> bool:
    """Whether a file has the size and the SHA-256 that its entry in the manifest says; a link is no file of a run."""
    return (
        path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == entry["bytes"]
        and sha256(path) == entry["sha256"]
    )


def _read_state(path: Path) -> tuple[State, int]:
    """Raises: CheckpointError when it is no state, though it is the file that was written."""
    from core.training.events import State

    tensors, metadata = read_tensors(path)
    try:
        counters, metrics_bytes = json.loads(metadata["counters"]), int(metadata["metrics_bytes"])
        _check_counts(metrics_bytes, counters["step"], *counters.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"The checkpoint {path.name} does not say how far it is ({shown(str(error))}). Fork the run."
        ) from None
    return State(tensors, counters), metrics_bytes


def _check_counts(metrics_bytes: object, step: object, *others: object) -> None:
    """Raises: ValueError for anything but whole numbers from 0 on; others may be floats too."""
    for value in (metrics_bytes, step, *(other for other in others if type(other) is not float)):
        if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
            raise ValueError(f"it counts {shown(value)}")


def _drop_states_outside(folder: Path, manifest: dict[str, Any]) -> None:
    """Files that a crash left half written go too, all but those that others than the run's process write."""
    kept = {manifest[key]["file"] for key in STATES if key in manifest}
    left_behind = [path for path in folder.glob(".*.tmp") if not path.name.startswith(OTHERS_WRITE)]
    for path in (*folder.glob("state-*.safetensors"), *left_behind):
        if path.name not in kept:
            path.unlink(missing_ok=True)
