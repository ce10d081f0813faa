"""Runs on a cluster: the process that hands them to Ray, and what computes on the machines there.

    __main__.py     the relay process: takes runs from the queue, each in a thread of its own, until its server leaves
    connection.py   the cluster itself: connecting, what a run needs, what goes along with it; the only `import ray`
    remote.py       one run's machine there, as the place where `core.worker` lets it compute
    trainer.py      what is done on that machine; knows nothing of Ray
    together.py     the processes of that machine that learn a run of several devices
    parcels.py      tensors on their way from one machine to another

A run's folder is written by the relay process, through `core.worker.work` as for a run that computes here: the machines
of the cluster see no run folders and need no common disk. `core.relay` is the same process seen from the queue.
"""
