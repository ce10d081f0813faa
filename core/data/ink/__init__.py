"""Ink: digits as people draw them, and 64x64 scenes of several digits with the class of every pixel.

Owns: all that a network for drawings learns from beside the digits of MNIST themselves.

    templates.py   how people write each digit, as strokes of few points
    skeletons.py   MNIST digits thinned to lines, so that any pen can draw them again
    pens.py        strokes drawn by a round pen of any width
    scenes.py      SceneSpec, SceneMaker: whole batches of scenes, the same for the same (seed, epoch, step)
    dataset.py     the data sets made of scenes
"""
