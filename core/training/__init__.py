"""Training: `fit` turns a config into a stream of events. Files, threads and plots live elsewhere.

loop.py     fit: the whole training loop; train: the same for a network that is there already
learner.py  the network, its optimiser and where they are in their training; snapshot and restore
together.py several processes that learn one network; team.py what they say to each other
start.py    how weights start: whitened, as the identity, with fixed scales
muon.py     the Muon optimiser
optim.py    optimisers and learning-rate schedules
device.py   device, precision, threads
gpus.py     why torch can't use the GPUs that are there
events.py   what a training tells
"""

from core.training.events import End, Epoch, Event, State, Step, Weights, as_dict
from core.training.learner import Learner
from core.training.loop import fit, train
from core.training.team import Team
from core.training.together import follow

__all__ = ["End", "Epoch", "Event", "Learner", "State", "Step", "Team", "Weights", "as_dict", "fit", "follow", "train"]
