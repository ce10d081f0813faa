"""Benchmarks: commands that compare side by side in one run and print what they measured. Nothing here is asserted.

forecast.py   what the forecast said against what the run then took
train.py      our training step against the plain way
scaling.py    how time and memory grow
devices.py    what several processes gain over one
compiled.py   what torch.compile is worth to our training step
gradients.py  what gradients of filters over maps side by side are worth to a training step
waiting.py    how long threads that wait for each other should spin
ablation.py   what each ingredient of the fast recipe is worth
lesson.py     what skip connections are worth by the report's recipe, and to networks that start or normalise otherwise
surgery.py    what a CNN's weights are worth to an FCN
scenes.py     what making scenes costs a training step
explain.py    our Grad-CAM against pytorch-grad-cam
energy.py     how much of a map lies on the digit that it explains
steps.py      images a second of a training step
outcome.py    what comes of a training without files
photos.py     which data set they use
table.py      rows of figures as text
"""
