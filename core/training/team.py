"""The processes that learn one run together, one a device: the first leads, the others follow its words.

Owns: what they send each other, which is tensors and never pickled. Leaves what is learned to `together.py`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import safetensors.torch
import torch
import torch.distributed as dist
from torch import Tensor

LEADER = 0
LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # gloo would otherwise look for this machine's name in the network


class Word(IntEnum):
    """What the leader says before everything that all of them do."""

    BEGIN = 1  # build the network; its weights come from the leader
    RESUME = 2  # the same, and a state to go on from follows
    LEARN = 3  # one step: epoch, position in it, step
    VALIDATE = 4
    LEAVE = 5


@dataclass(frozen=True)
class Team:
    """One process's place among `size` of them; `rank` counts from 0, the leader."""

    rank: int
    size: int

    @classmethod
    def join(cls) -> Team:
        """Meet the others: all processes that were started to learn a run together call it.

        They talk through gloo, and through NCCL about what lies on GPUs. All are on one machine.
        """
        if sys.platform in LOOPBACK:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK[sys.platform])
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def part(self) -> None:
        """Give up the connections to the others, as the last thing; a process that ends with open ones may abort."""
        dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether this process decides for all."""
        return self.rank == LEADER

    def share(self, count: int) -> slice:
        """Which of `count` rows are this process's; the shares differ by one row at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def tell(self, word: Word, *numbers: int) -> None:
        """As the leader, let all others know what comes next, with at most three numbers."""
        line = torch.tensor([word, *numbers, *[0] * (3 - len(numbers))])
        dist.broadcast(line, LEADER)

    def hear(self) -> tuple[Word, list[int]]:
        """Wait for the leader's next word and its three numbers."""
        line = torch.zeros(4, dtype=torch.int64)
        dist.broadcast(line, LEADER)
        word, *numbers = line.tolist()
        return Word(word), numbers

    def total(self, figures: Tensor) -> Tensor:
        """The sum of everybody's tensor, which all get; all give the same shape and dtype. Changes it in place."""
        dist.all_reduce(figures)
        return figures

    def copy_leaders(self, tensors: Mapping[str, Tensor]) -> None:
        """Make these tensors of everybody equal to the leader's, in place."""
        for tensor in tensors.values():
            dist.broadcast(tensor, LEADER)

    def send(self, tensors: dict[str, Tensor], counters: Mapping[str, object]) -> None:
        """As the leader, send a state to all others."""
        payload = safetensors.torch.save(tensors, {"counters": json.dumps(dict(counters))})
        data = torch.frombuffer(bytearray(payload), dtype=torch.uint8)
        dist.broadcast(torch.tensor([len(data)]), LEADER)
        dist.broadcast(data, LEADER)

    def receive(self) -> tuple[dict[str, Tensor], dict[str, int | float]]:
        """The state that the leader sends: tensors and counters."""
        length = torch.zeros(1, dtype=torch.int64)
        dist.broadcast(length, LEADER)
        data = torch.zeros(int(length), dtype=torch.uint8)
        dist.broadcast(data, LEADER)
        payload = data.numpy().tobytes()
        header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
        return safetensors.torch.load(payload), json.loads(header["__metadata__"]["counters"])
