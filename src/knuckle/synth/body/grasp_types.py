"""The types of the GRASP taxonomy: what is held, how large it is, and which fingers hold it.

Types and names follow Feix, Romero, Schmiedmayer, Dollar & Kragic, The GRASP Taxonomy of Human Grasp Types, IEEE
Trans. Human-Machine Systems 46(1), 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knuckle.synth.body.anatomy import FINGERS


@dataclass(frozen=True)
class GraspType:
    """One row of the taxonomy.

    Attributes:
        kinds: of objects, for `object_meshes.make`.
        low, high: smallest and largest size of the object for an adult's hand, metres.
        how: a key of `METHODS`.
        fingers: that hold the object; the others take their angles from the pose `rest`.
        open, shut: names of the poses between which the hand closes.
        tilt_deg: of a bar across the palm.
    """

    kinds: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    how: str
    fingers: tuple[str, ...] = FINGERS
    rest: str = "relaxed"
    open: str = "open"
    shut: str = "fist"
    tilt_deg: float = 18.0


def _tips(
    kinds: tuple[str, ...], low: tuple[float, ...], high: tuple[float, ...], fingers: tuple[str, ...]
) -> GraspType:
    """Held between the tips of the thumb and these fingers; the other fingers are folded."""
    return GraspType(kinds, low, high, "span", fingers, rest="loose_fist", open="claw", shut="beak")


TYPES: Mapping[str, GraspType] = {
    "large_diameter": GraspType(("cylinder", "bottle", "glass", "cup"), (0.06, 0.1), (0.095, 0.2), "wrap", open="wide"),
    "medium_wrap": GraspType(("cylinder", "bottle", "glass"), (0.035, 0.1), (0.06, 0.2), "wrap", open="open"),
    "small_diameter": GraspType(("stick", "cylinder"), (0.018, 0.12), (0.034, 0.35), "wrap"),
    "light_tool": GraspType(("stick", "pen"), (0.009, 0.12), (0.018, 0.3), "wrap"),
    "adducted_thumb": GraspType(
        ("stick", "cylinder"), (0.02, 0.15), (0.032, 0.4), "wrap", open="flat", shut="thumb_out"
    ),
    "index_extension": GraspType(
        ("stick", "pen"), (0.012, 0.14), (0.026, 0.3), "wrap", ("middle", "ring", "pinky"), "point"
    ),
    "fixed_hook": GraspType(
        ("stick", "cylinder"), (0.015, 0.1), (0.035, 0.3), "wrap", open="hook", shut="hook", tilt_deg=4
    ),
    "power_sphere": GraspType(("ball",), (0.045,), (0.085,), "wrap", open="wide"),
    "power_disk": GraspType(("cylinder",), (0.075, 0.015), (0.11, 0.03), "span", open="wide", shut="beak"),
    "ring": GraspType(("glass", "cylinder"), (0.04, 0.08), (0.07, 0.14), "wrap", ("index",), "loose_fist"),
    "palmar_pinch": _tips(("card", "book", "box"), (0.03, 0.04, 0.001), (0.1, 0.15, 0.02), ("index",)),
    "tip_pinch": GraspType(
        ("pen", "stick"), (0.004, 0.08), (0.008, 0.14), "span", ("index",), open="pinch_open", shut="pinch"
    ),
    "inferior_pincer": GraspType(
        ("ball",), (0.015,), (0.035,), "span", ("index",), open="pinch_open", shut="ok", rest="loose"
    ),
    "prismatic_2": _tips(("stick", "pen"), (0.006, 0.1), (0.014, 0.2), ("index", "middle")),
    "prismatic_3": _tips(("stick", "cylinder"), (0.008, 0.1), (0.03, 0.2), ("index", "middle", "ring")),
    "prismatic_4": _tips(("stick", "cylinder"), (0.008, 0.12), (0.03, 0.25), FINGERS),
    "tripod": _tips(("ball", "bottle"), (0.02, 0.05), (0.05, 0.08), ("index", "middle")),
    "quadpod": _tips(("ball",), (0.03,), (0.06,), ("index", "middle", "ring")),
    "precision_sphere": GraspType(("ball",), (0.04,), (0.075,), "span", open="claw", shut="beak"),
    "precision_disk": GraspType(("cylinder",), (0.05, 0.008), (0.085, 0.02), "span", open="claw", shut="beak"),
    "sphere_3_finger": GraspType(("ball",), (0.04,), (0.07,), "wrap", ("index", "middle"), "loose_fist", open="open"),
    "sphere_4_finger": GraspType(
        ("ball",), (0.045,), (0.08,), "wrap", ("index", "middle", "ring"), "loose_fist", open="open"
    ),
    "parallel_extension": GraspType(
        ("book", "box"), (0.08, 0.12, 0.008), (0.16, 0.2, 0.035), "span", open="asl_C", shut="tabletop"
    ),
    "extension": GraspType(
        ("box", "book"), (0.06, 0.1, 0.008), (0.09, 0.16, 0.03), "span", open="asl_C", shut="tabletop"
    ),
    "phone": GraspType(("phone",), (0.062, 0.13, 0.007), (0.08, 0.165, 0.01), "phone"),
    "lateral": GraspType(("card",), (0.05, 0.08, 0.0008), (0.09, 0.12, 0.002), "side", rest="loose_fist"),
    "writing_tripod": GraspType(("pen",), (0.007, 0.13), (0.012, 0.16), "pen"),
    "adduction": GraspType(("stick", "pen"), (0.006, 0.08), (0.01, 0.14), "between", rest="relaxed"),
    "palm_up": GraspType(("ball", "box", "cup", "book"), (0.05, 0.05, 0.01), (0.1, 0.12, 0.05), "tray"),
}
