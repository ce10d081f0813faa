"""CNN Lab's library: train, keep, evaluate and explain small image networks. Needs no web page.

The map, from the bottom up; each line may import only from the lines above it:

    errors.py, causes.py      one tree of errors; why a training could not go on, in words
    files.py, machine.py      atomic files; what this machine is
    names.py                  a person's words as a name
    tensors.py                tensors in a file that anybody may have written
    data/                     data sets in memory, their cache and download, augmentation, scenes of ink
    models/                   the networks by name, and what each costs
    recipes.py, config.py     TrainConfig: every knob of a run, filled in by a recipe
    evaluation.py             accuracy, loss, confusion, every answer
    segmentation.py           a drawing in, the class of every pixel and the digits it spells out
    drawings.py               a drawing squeezed, centred and moved; a picture made a drawing
    explain/                  what a decision was made of, and how faithful such a map is
    statistics.py             how sure a figure is: intervals, tests of differences, calibration
    training/                 fit: a config in, a stream of events out
    checkpoints.py            weights and states on disk, hashed and committed by a manifest
    metrics.py, runs/         the run store: the only code that knows a run's files
    summaries.py              what a table says of each run, read once and kept
    answers.py                what a run answered to every test image
    comparison.py, tables.py  rows of a comparison, seeds folded; tables as CSV, Markdown and LaTeX
    experiments.py            the lab report's experiments, put to the runs that there are
    loading.py                load_model
    export.py                 a network as an ONNX file, checked
    forecast.py               time and memory of a run before it starts
    relay.py                  the process that hands runs to a cluster, as the queue sees it
    jobs.py                   the queue and its background thread
    launch.py                 the processes of a run that several devices learn
    worker.py                 the child process of one run
    cluster/                  runs on the machines of a Ray cluster
    reference.py              the reference runs that ship, and the table of their results
    bench/                    benchmarks: what this machine does, side by side in one run
    __main__.py, cli/         python -m core train | sweep | evaluate | list | audit | fetch | import | export | …
    rank.py                   one of the processes that launch.py starts

In short:

    from core import data, training
    from core.config import TrainConfig

    config = TrainConfig(model="cnn", dataset="mnist-mini", recipe="quick", seed=0)
    for event in training.fit(config):
        print(event)
"""

import os

# Threads that wait for each other sleep instead of spinning. On a shared machine, where a browser draws the curves on
# the same cores, spinning threads keep the ones they wait for from running: training was up to 14 times slower. Some
# microseconds of spinning (2,000 rounds of GNU's library) cost little there, and spare a step most of its naps: one of
# the ResNet took 0.76 times as long. Both have to be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

from core.loading import load_model

__all__ = ["load_model"]
