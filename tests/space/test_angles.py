"""Joint angles against hands whose true angles are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moving_hands import MIRROR, posed
from scipy.spatial.transform import Rotation

import knuckle
from knuckle.results.measures import joint_angle
from knuckle.space.angles import ANGLE_NAMES, curls, joint_angles
from knuckle.synth.body.anatomy import FINGERS, INDEX
from knuckle.synth.body.hand_poses import NAMED, pose_of, random_pose


def measured(pose: object, name: str) -> float:
    return float(joint_angles(posed(pose), "Right", "deg")[ANGLE_NAMES.index(name)])  # type: ignore[arg-type]


@pytest.mark.parametrize("finger", FINGERS)
@given(mcp=st.floats(-20, 90), pip=st.floats(0, 105))
def test_flexions_of_fingers_are_the_true_ones(finger: str, mcp: float, pip: float) -> None:
    pose = pose_of(**{f"{finger}_mcp": mcp, f"{finger}_pip": pip, f"{finger}_dip": 2 / 3 * pip})
    truth = np.degrees(pose.angles)
    assert measured(pose, f"{finger}_mcp_flexion") == pytest.approx(truth[INDEX[f"{finger}_mcp"]], abs=2.5)
    for joint in ("pip", "dip"):
        assert measured(pose, f"{finger}_{joint}_flexion") == pytest.approx(truth[INDEX[f"{finger}_{joint}"]], abs=1)


@pytest.mark.parametrize("finger", FINGERS)
@pytest.mark.parametrize("degrees", (-8, 0, 6, 12))
def test_abductions_of_straight_fingers_are_the_true_ones(finger: str, degrees: float) -> None:
    pose = pose_of(**{f"{finger}_spread": degrees})
    assert measured(pose, f"{finger}_mcp_abduction") == pytest.approx(degrees, abs=1)


@pytest.mark.parametrize("radial", (-10, 20, 45))
@pytest.mark.parametrize("palmar", (0, 30, 50))
def test_the_thumb_moves_in_the_plane_of_the_palm_and_out_of_it(radial: float, palmar: float) -> None:
    pose = pose_of(thumb_radial=radial, thumb_palmar=palmar, thumb_mcp=20, thumb_ip=30)
    # The renderer's base of the thumb lies 2 degrees off the line through the landmarks.
    assert measured(pose, "thumb_cmc_flexion") == pytest.approx(-radial, abs=10)
    assert measured(pose, "thumb_cmc_abduction") == pytest.approx(palmar, abs=8)
    assert measured(pose, "thumb_mcp_flexion") == pytest.approx(20, abs=4)
    assert measured(pose, "thumb_ip_flexion") == pytest.approx(30, abs=2)


def test_extension_is_negative() -> None:
    pose = pose_of(index_mcp=-20, thumb_ip=-15, thumb_radial=40, middle_dip=-10)
    for name, degrees in (("index_mcp", -20), ("thumb_ip", -15), ("middle_dip", -10)):
        assert measured(pose, f"{name}_flexion") == pytest.approx(degrees, abs=2)


def test_the_mirrored_hand_has_the_same_angles_and_turning_changes_none() -> None:
    rng = np.random.default_rng(4)
    right = np.array([posed(random_pose(rng)[1]) for _ in range(50)])
    angles = joint_angles(right, "Right")
    turn = Rotation.random(random_state=2).as_matrix()
    assert angles.shape == (50, len(ANGLE_NAMES)) == (50, 20)
    assert np.allclose(joint_angles(right @ MIRROR, "Left"), angles)
    assert np.allclose(joint_angles(0.7 * right @ turn.T + 1, "Right"), angles)


def test_flexion_of_a_hinge_is_what_its_interior_angle_lacks_to_180_degrees() -> None:
    rng = np.random.default_rng(6)
    for _ in range(30):
        points = posed(random_pose(rng)[1])
        for name in ("index_pip", "ring_dip", "thumb_ip"):
            flexion = joint_angles(points, "Right", "deg")[ANGLE_NAMES.index(f"{name}_flexion")]
            assert abs(flexion) == pytest.approx(180 - joint_angle(points, name, "deg"), abs=1.5)


def test_curls_tell_fists_from_open_hands() -> None:
    names = ("open", "fist", "point")
    found = curls(joint_angles(np.array([posed(NAMED[name]) for name in names]), "Right"))
    assert set(found) == {"thumb", *FINGERS}
    for finger in FINGERS:
        assert found[finger][0] < 0.1 and found[finger][1] > 0.85
        assert (found[finger][2] > 0.85) == (finger != "index")
    assert found["index"][2] < 0.1 and found["thumb"][0] < 0.2 < 0.6 < found["thumb"][1]
    assert all(((values >= 0) & (values <= 1)).all() for values in found.values())


def test_units() -> None:
    points = posed(NAMED["claw"])
    assert np.allclose(np.degrees(joint_angles(points, "Right")), joint_angles(points, "Right", "deg"))
    with pytest.raises(knuckle.InputError, match="'rad' or 'deg', got 'grad'"):
        joint_angles(points, "Right", "grad")  # type: ignore[arg-type]
