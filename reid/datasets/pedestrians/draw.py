"""Draws a person as a camera sees it: a jointed figure that walks, in its clothes.

Every function lists painted parts; lengths are fractions of the person's height, ``g`` is the girth. Depths
say what covers what: legs from -1, the torso at 0 with arms and bags around it, the head from 1.
"""

from math import cos, sin

import cv2
import numpy as np

from reid.datasets.pedestrians.people import Bag, Cut, Hair, Pattern, Person
from reid.datasets.pedestrians.view import Paint, Part, Pixels, Point, Pose, View, paint_parts, shade

SIDES = (-1, 1)  # right, left


def draw_person(canvas: Pixels, person: Person, pose: Pose) -> None:
    """Paint a person onto ``canvas`` (H, W, 4), uint8 RGB and coverage, in place."""
    view = View(pose, height=person.height)
    cloth = weave((canvas.shape[0], canvas.shape[1]), person, view)
    body = [*legs(person, view), *clothes(person, view, cloth), *arms(person, view, cloth)]
    paint_parts(canvas, [*body, *head(person, view), *bag(person, view)])


def weave(shape: tuple[int, int], person: Person, view: View) -> Paint:
    """The cloth of the top, hung on the neck: one colour, or a pattern as large as the canvas."""
    if person.pattern not in (Pattern.STRIPES, Pattern.CHECKS, Pattern.BAND):
        return person.top
    x, y = view.pixel((0.0, 0.8, 0.0))
    rows, columns = (np.arange(shape[0]) - y) / view.unit, (np.arange(shape[1]) - x) / view.unit
    trimmed = (rows > 0.05) & (rows < 0.14) if person.pattern is Pattern.BAND else rows % 0.064 < 0.03
    threads = np.array((person.top, person.trim), np.uint8)[trimmed.astype(np.intp)]
    cloth = cv2.resize(threads[:, None], shape[::-1], interpolation=cv2.INTER_NEAREST)
    if person.pattern is Pattern.CHECKS:
        across = columns % 0.064 < 0.03
        cloth[:, across] = person.trim
        cloth[np.ix_(trimmed, across)] = shade(person.trim, 0.6)
    return cv2.cvtColor(cloth, cv2.COLOR_RGB2RGBA).astype(np.uint8, copy=False)


def swing(joint: Point, angle: float, length: float) -> Point:
    """Where a bone from ``joint`` ends that swings forward by ``angle``."""
    return joint[0], joint[1] - length * cos(angle), joint[2] + length * sin(angle)


def legs(person: Person, view: View) -> list[Part]:
    """Two swinging legs, bare or covered, in shoes."""
    parts: list[Part] = []
    g, pose = person.girth, view.pose
    bare = person.cut is not Cut.TROUSERS
    for side in SIDES:
        thigh = pose.stride * sin(pose.phase) * side
        shin = thigh - pose.stride * (0.35 + 0.9 * max(0.0, side * cos(pose.phase)))
        hip = (0.048 * g * side, 0.49, 0.0)
        knee = swing(hip, thigh, 0.225)
        ankle = swing(knee, shin, 0.225)
        toe = (ankle[0] * 1.15, ankle[1] - 0.015, ankle[2] + 0.07)
        near = view.depth(knee)
        light = 1.0 if near >= 0 else 0.8  # the farther leg lies in shade
        skin, cloth, shoe = (shade(c, light) for c in (person.skin, person.bottom, person.shoes))
        ease = 1.0 if bare else 1.25
        covered = skin if bare else cloth
        parts += [
            view.limb(knee, ankle, (0.036 * g * ease, 0.022 * ease), covered, depth=near - 1),
            view.limb(hip, knee, (0.06 * g, 0.038 * g * ease), covered, depth=near - 0.999),
            view.limb(ankle, toe, (0.026, 0.018), shoe, depth=near - 0.998),
        ]
        if person.cut is Cut.SHORTS:
            hem = swing(hip, thigh, 0.19)
            parts.append(view.limb(hip, hem, (0.065 * g, 0.058 * g), cloth, depth=near - 0.997))
    return parts


def clothes(person: Person, view: View, cloth: Paint) -> list[Part]:
    """The torso in its top, what hangs below the belt, and what the chest alone shows."""
    g, hem = person.girth, person.hem
    flare = g if hem > 0.4 else 1.25 * g  # a coat swings
    shoulders = [(0.835, 0.045, 0.04), (0.81, 0.112 * g, 0.06 * g), (0.7, 0.108 * g, 0.075 * g)]
    waist = [(0.6, 0.092 * g, 0.07 * g), (0.52, 0.1 * g, 0.075 * g), (hem, 0.102 * flare, 0.078 * flare)]
    if person.cut is Cut.SKIRT:
        below = [(0.6, 0.08 * g, 0.06 * g), (0.5, 0.102 * g, 0.08 * g), (0.3, 0.13 * g, 0.11 * g)]
    else:
        below = [(0.56, 0.09 * g, 0.07 * g), (0.45, 0.1 * g, 0.075 * g)]
    parts = [view.trunk(shoulders + waist, cloth), view.trunk(below, person.bottom, depth=-0.5)]
    fronts = {Pattern.PRINT: (0.055 * g, 0.67, 0.76), Pattern.JACKET: (0.032 * g, hem, 0.825)}
    if view.facing > 0.15 and person.pattern in fronts:
        half, low, high = fronts[person.pattern]
        corners = [(x, y, 0.07 * g) for x, y in ((-half, low), (half, low), (half, high), (-half, high))]
        parts.append(view.patch(corners, person.trim, depth=0.01))
    return parts


def arms(person: Person, view: View, cloth: Paint) -> list[Part]:
    """Arms swing against the legs; short sleeves end above the elbow."""
    parts: list[Part] = []
    g, pose = person.girth, view.pose
    for side in SIDES:
        angle = -0.8 * pose.stride * sin(pose.phase) * side
        shoulder = (0.112 * g * side, 0.785, 0.0)
        elbow = swing((0.137 * g * side, 0.785, 0.0), angle, 0.155)
        wrist = swing(elbow, angle + 0.35, 0.135)
        hand = swing(wrist, angle + 0.35, 0.025)
        sleeve = elbow if person.long_sleeves else swing((0.128 * g * side, 0.785, 0.0), angle, 0.1)
        lower = cloth if person.long_sleeves else person.skin
        near = view.depth(elbow)  # of the whole arm: it lies before or behind the torso
        parts += [
            view.limb(wrist, hand, (0.018, 0.022), person.skin, depth=near),
            view.limb(elbow, wrist, (0.026 * g, 0.019), lower, depth=near + 0.001),
            view.limb(shoulder, elbow, (0.03 * g, 0.026 * g), person.skin, depth=near + 0.002),
            view.limb(shoulder, sleeve, (0.037 * g, 0.034 * g), cloth, depth=near + 0.003),
        ]
    return parts


def head(person: Person, view: View) -> list[Part]:
    """Neck, hair, face and hat; the face bulges from the front of the hair, so it is right from any side."""
    skin, hair, facing = person.skin, person.hair_colour, view.facing
    parts = [
        view.limb((0, 0.8, 0), (0, 0.88, 0), (0.034, 0.03), shade(skin, 0.85), depth=0.02),
        view.limb((0, 0.91, 0), (0, 0.91, 0), (0.058, 0.058), skin, depth=1),
        view.limb((0, 0.93, -0.012), (0, 0.915, -0.022), (0.061, 0.056), hair, depth=1.01),
        view.limb((0, 0.908, 0.028), (0, 0.884, 0.022), (0.044, 0.038), skin, depth=1.01 + 0.01 * facing),
    ]
    if facing > 0.2:
        for side in SIDES:
            eye = (side * 0.02, 0.902, 0.06)
            parts.append(view.limb(eye, eye, (0.0075, 0.0075), (40, 32, 32), depth=1.1))
    if person.hair is Hair.LONG:
        fall = [(0.94, 0.05, 0.05), (0.85, 0.066, 0.05), (0.74, 0.06, 0.035)]
        parts.append(view.trunk(fall, hair, z=-0.04, depth=1.03 if facing < 0 else -0.02))
    elif person.hair is Hair.TAIL:
        depth = 1.05 if facing < 0 else 0.01
        parts.append(view.limb((0, 0.93, -0.07), (0, 0.81, -0.09), (0.022, 0.014), hair, depth=depth))
    if person.hat is not None:
        crown = [(0.985, 0.03, 0.03), (0.965, 0.058, 0.058), (0.928, 0.064, 0.068)]
        peak = view.limb((0, 0.932, 0.05), (0, 0.926, 0.1), (0.02, 0.012), shade(person.hat, 0.8), depth=1.2)
        parts += [view.trunk(crown, person.hat, depth=1.2 - 0.01 * facing), peak]
    return parts


def bag(person: Person, view: View) -> list[Part]:
    """A backpack hides the back and shows two straps in front; a satchel hangs at one hip."""
    g, colour, facing = person.girth, person.bag_colour, view.facing
    dark = shade(colour, 0.7)
    if person.bag is Bag.BACKPACK:
        sack = [(0.825, 0.05, 0.03), (0.8, 0.085, 0.05), (0.62, 0.095, 0.06), (0.58, 0.08, 0.05)]
        back, pocket = 0.075 * g + 0.05, 0.075 * g + 0.09
        parts = [
            view.trunk(sack, colour, z=-back, depth=-back * facing),
            view.trunk([(0.69, 0.06, 0.02), (0.61, 0.065, 0.02)], dark, z=-pocket, depth=-pocket * facing),
        ]
        for x in (-0.07 * g, 0.07 * g) if facing > 0.3 else ():
            edges = ((x - 0.012, 0.82), (x + 0.012, 0.82), (x + 0.018, 0.63), (x - 0.006, 0.63))
            parts.append(view.patch([(*edge, 0.075 * g) for edge in edges], dark, depth=0.06))
        return parts
    if person.bag is Bag.SATCHEL:
        side = person.bag_side * g
        near = view.depth((0.125 * side, 0.5, 0.0)) + 0.03
        hangs = [((0.125 * side, y, -0.03), (0.125 * side, y, 0.03)) for y in (0.53, 0.555)]
        parts = [
            view.limb(*hangs[0], (0.048, 0.048), colour, depth=near),
            view.limb(*hangs[1], (0.03, 0.03), dark, depth=near + 0.005),
        ]
        if abs(facing) > 0.3:
            z = 0.08 * g if facing > 0 else -0.08 * g
            edges = ((-0.085, 0.82), (-0.06, 0.825), (0.115, 0.56), (0.115, 0.52))
            parts.append(view.patch([(x * side, y, z) for x, y in edges], dark, depth=0.06))
        return parts
    return []
