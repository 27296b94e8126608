from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hands_in_space import rig
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pillow

from knuckle import InputError, SourceError
from knuckle.space import Camera, CameraChoice, read_cameras

SIZE = (1280, 720)
LENSES = {
    "none": ("pinhole", []),
    "barrel": ("pinhole", [-0.332, 0.046, -0.004, 0.004, 0.067]),
    "pincushion": ("pinhole", [0.18, -0.256, 0.003, 0.002, 0.124]),
    "rational": ("pinhole", [0.1, -0.05, 0.001, -0.001, 0.01, 0.2, -0.03, 0.005]),
    "fisheye": ("fisheye", [-0.02, 0.01, -0.003, 0.001]),
}


def camera(lens: str) -> Camera:
    model, distortion = LENSES[lens]
    return Camera(Camera.from_fov(SIZE, 70).matrix, SIZE, np.array(distortion), model)


@pytest.mark.parametrize("lens", LENSES)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 20))
def test_projecting_what_was_unprojected_gives_the_same_pixel(lens: str, x: float, y: float, depth: float) -> None:
    pixel = np.array([x * SIZE[0], y * SIZE[1]])
    point = camera(lens).unproject(pixel, depth)
    assert point[2] == pytest.approx(depth)
    assert np.allclose(camera(lens).project(point), pixel, atol=1e-6)


@pytest.mark.parametrize("lens", LENSES)
def test_unprojecting_what_was_projected_gives_the_same_point(lens: str) -> None:
    points = np.random.default_rng(0).uniform([-0.4, -0.2, 0.8], [0.4, 0.2, 3], (200, 3))
    pixels = camera(lens).project(points)
    assert np.allclose(camera(lens).unproject(pixels, points[:, 2]), points, atol=1e-9)


@pytest.mark.parametrize("lens", ["barrel", "rational"])
def test_projections_are_those_of_opencv(lens: str) -> None:
    one = camera(lens)
    points = np.random.default_rng(0).uniform([-0.4, -0.2, 0.8], [0.4, 0.2, 3], (50, 3))
    theirs = cv2.projectPoints(points, np.zeros(3), np.zeros(3), one.matrix, one.distortion)[0][:, 0]
    assert np.allclose(one.project(points), theirs)


def test_points_behind_the_camera_have_no_pixel_and_pixels_outside_of_the_lens_no_ray() -> None:
    assert np.isnan(camera("barrel").project([[0, 0, -1], [0, 0, 0]])).all()
    folded = Camera(camera("none").matrix, SIZE, np.array([-0.5, 0, 0, 0]))  # bends back beyond r = 0.82
    assert np.isnan(folded.rays([[5000.0, 360.0]])).all() and np.isfinite(folded.rays([[700.0, 360.0]])).all()


def test_the_way_to_the_world_and_back_is_the_identity() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3))
    for one in rig():
        assert np.allclose(one.to_world(one.to_camera(points)), points)
        assert np.allclose(one.to_camera(one.centre), 0)


def test_a_smaller_image_of_the_same_view_shows_the_same_rays() -> None:
    one = camera("barrel")
    half = one.at_size(640, 360)
    corners = np.array([[-0.5, -0.5], [1279.5, 719.5], [300, 200]])  # the outer edges of the images, and a point
    assert np.allclose(one.rays(corners), half.rays((corners + 0.5) / 2 - 0.5), atol=1e-9)
    with pytest.raises(InputError, match="another shape"):
        one.at_size(640, 480)


def test_a_field_of_view_is_the_angle_between_the_edges() -> None:
    one = Camera.from_fov((1280, 720), 60)
    left, right = one.rays([[-0.5, 360.0], [1279.5, 360.0]])[:, 0]
    assert np.degrees(np.arctan(right) - np.arctan(left)) == pytest.approx(60)
    assert Camera.from_fov((720, 1280), 60).matrix[0, 0] == pytest.approx(one.matrix[0, 0])  # the longer side


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"matrix": np.eye(2)}, "shape"),
        ({"matrix": np.diag([0, 1, 1])}, "focal"),
        ({"matrix": np.diag([np.nan, 1, 1])}, "finite"),
        ({"distortion": [1, 2]}, "coefficients"),
        ({"rotation": np.diag([1, 1, -1])}, "rotation"),
        ({"lens": "mirror"}, "lens"),
    ],
)
def test_impossible_cameras_are_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Camera(**({"matrix": np.eye(3)} | values))


def same(one: Camera, other: Camera) -> bool:
    arrays = ("matrix", "distortion", "rotation", "translation")
    return (
        one.size == other.size
        and one.lens == other.lens
        and all(np.allclose(getattr(one, name), getattr(other, name), atol=1e-6) for name in arrays)
    )


def files(one: Camera, folder: Path) -> dict[str, Path]:
    """The camera in each format, as the programs write it."""
    rows = [[float(x) for x in row] for row in one.matrix]
    turn = cv2.Rodrigues(one.rotation)[0].ravel().tolist()
    width, height = one.size or (0, 0)
    texts = {
        "caliscope.toml": f"CreationDate = 2023-03-31T09:56:43\n[{one.name}]\ncam_id = 0\nsize = [{width}, {height}]\n"
        f"matrix = {rows}\ndistortions = {one.distortion.tolist()}\nrotation = {one.rotation.tolist()}\n"
        f"translation = {one.translation.tolist()}\n[charuco]\ncolumns = 4\nrows = 5\n",
        "Calib.toml": f'[{one.name}]\nname = "{one.name}"\nsize = [ {float(width)}, {float(height)}]\n'
        f"matrix = {rows}\ndistortions = {one.distortion.tolist()}\nrotation = {turn}\n"
        f"translation = {one.translation.tolist()}\nfisheye = {str(one.lens == 'fisheye').lower()}\n"
        "[metadata]\nadjusted = false\nerror = 0.0\n",
        "plain.json": json.dumps(one.to_dict()),
        "list.json": json.dumps({"cameras": [one.to_dict()]}),
        "ros.yaml": f"image_width: {width}\nimage_height: {height}\ncamera_name: {one.name}\n"
        f"camera_matrix:\n  rows: 3\n  cols: 3\n  data: {one.matrix.ravel().tolist()}\n"
        f"distortion_model: plumb_bob\ndistortion_coefficients:\n  rows: 1\n  cols: 5\n"
        f"  data: {one.distortion.tolist()}\nrotation: {turn}\ntranslation: {one.translation.tolist()}\n",
    }
    paths = {name: folder / name for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    for name in ("opencv.yml", "opencv.xml", "opencv.json"):
        paths[name] = folder / name
        storage = cv2.FileStorage(str(paths[name]), cv2.FILE_STORAGE_WRITE)
        storage.write("image_width", width)
        storage.write("image_height", height)
        storage.write("camera_matrix", one.matrix)
        storage.write("distortion_coefficients", one.distortion[:, None])
        storage.write("R", one.rotation)
        storage.write("T", one.translation)
        storage.release()
    return paths


NAMES = ["caliscope.toml", "Calib.toml", "plain.json", "list.json", "ros.yaml", "opencv.yml", "opencv.xml"]


@pytest.mark.parametrize("name", [*NAMES, "opencv.json"])
def test_every_format_gives_the_same_camera(name: str, tmp_path: Path) -> None:
    placed = rig(camera("barrel"))[1]
    found = read_cameras(files(placed, tmp_path)[name])
    assert len(found) == 1 and same(next(iter(found.values())), placed)


def test_stereo_files_hold_two_cameras_and_the_second_stands_beside_the_first(tmp_path: Path) -> None:
    left, right = rig(camera("pincushion"), 2)
    path = tmp_path / "stereo.yml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for number in (1, 2):
        storage.write(f"M{number}", left.matrix)
        storage.write(f"D{number}", left.distortion[None])
    between = right.rotation @ left.rotation.T
    storage.write("R", between)
    storage.write("T", right.translation - between @ left.translation)
    storage.release()
    first, second = read_cameras(path).values()
    assert np.allclose(first.rotation, np.eye(3)) and np.allclose(second.rotation, between)
    assert np.linalg.norm(second.centre - first.centre) == pytest.approx(np.linalg.norm(right.centre - left.centre))


def test_a_fisheye_stays_a_fisheye(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps(camera("fisheye").to_dict()))
    assert same(read_cameras(path)["camera"], camera("fisheye"))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "x", "cameras are read from"),
        ("a.toml", "[cam\n", "damaged"),
        ("a.json", "{", "damaged"),
        ("a.json", '{"cameras": 3}', "holds no camera"),
        ("a.yml", "%YAML:1.0\n---\na: 1\n", "holds no camera"),
    ],
)
def test_files_without_a_camera_say_what_is_wrong(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=told):
        read_cameras(tmp_path / name)
    with pytest.raises(SourceError, match="no file"):
        read_cameras(tmp_path / "absent.toml")


def test_real_files_of_caliscope_are_read(shared: Path) -> None:
    found = read_cameras(shared / "data" / "video" / "multicamera" / "config.toml")
    assert list(found) == ["cam_0", "cam_1", "cam_2", "cam_3"]
    assert all(one.size == (1280, 720) and 0.5 < np.linalg.norm(one.centre) < 2 for one in found.values())


def photo(path: Path, tags: dict[int, object], size: tuple[int, int] = (400, 300)) -> Path:
    image = pillow.new("RGB", size)
    exif = image.getexif()
    exif.get_ifd(0x8769).update(tags)
    image.save(path, exif=exif)
    return path


def test_the_focal_length_of_a_photo_gives_its_field_of_view(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.jpg", {0xA405: 28})
    one = CameraChoice("exif").of((400, 300), str(path))
    diagonal = 2 * np.degrees(np.arctan(np.hypot(400, 300) / 2 / one.matrix[0, 0]))
    assert diagonal == pytest.approx(75.4, abs=0.1) and "28 mm" in one.about  # what lens tables say of 28 mm
    # The same lens by its sensor: 36 mm wide, 3000 pixels, so 83.3 pixels a millimetre.
    tags = {0x920A: 28.0, 0xA20E: 3000 / 36, 0xA210: 4, 0xA002: 3000, 0xA003: 2000}
    one = CameraChoice("exif").of((300, 200), str(photo(tmp_path / "b.jpg", tags, (300, 200))))
    assert one.matrix[0, 0] == pytest.approx(28 / 36 * 300)


def test_photos_without_a_focal_length_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="fov:DEGREES"):
        CameraChoice("exif").of((400, 300), str(photo(tmp_path / "photo.jpg", {0xA405: 0})))
    with pytest.raises(SourceError, match="only photo files"):
        CameraChoice("exif").of((400, 300), "camera 0")


def test_users_choose_a_camera_by_a_word(tmp_path: Path) -> None:
    one, other = rig(camera("barrel"), 2)
    path = tmp_path / "rig.json"
    path.write_text(json.dumps([one.to_dict(), other.to_dict()]))
    assert same(CameraChoice(f"{path}#cam_1").of(SIZE), other)
    assert CameraChoice(one).of((640, 360)).size == (640, 360)
    assert "assumed" in CameraChoice("fov").of(SIZE).about and "assumed" not in CameraChoice("fov:60").of(SIZE).about
    for wrong in (str(path), f"{path}#cam_7", "fov:wide", "fov:400", 5):
        with pytest.raises(InputError):
            CameraChoice(wrong)  # type: ignore[arg-type]


def test_yaml_on_which_opencv_never_returns_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing."""
    path = tmp_path / "cameras.yaml"
    path.write_text("   cols: 3\nM !-<\nM !-<\n   cols: 3\n   data: [ 500., 0. ]\ndth: null\n")
    with pytest.raises(SourceError, match="holds no camera"):
        read_cameras(path)
    path.write_text("   da4a: < 500,., 0., 320., 0., -, < 00: !mm:0 ]\n-11- !!atrix\n   da4a: < 500,., 0., 32")
    with pytest.raises(SourceError, match="is damaged or not YAML"):
        read_cameras(path)


def test_references_in_yaml_are_refused_and_short_floats_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text("fx: 5e2\nfy: 500.\ncx: 320\ncy: 240\nsize: [640, 480]\ndist: [1e-05, 0, 0, 0]\n")
    (camera,) = read_cameras(path).values()
    assert camera.matrix[0, 0] == 500 and camera.distortion[0] == 1e-5
    path.write_text("a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    with pytest.raises(SourceError, match=r"references \(\*name\) are not read"):
        read_cameras(path)
