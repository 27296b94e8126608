from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("moderngl")

from knuckle.errors import EngineError, InputError, MissingExtraError, SourceError
from knuckle.synth.appearance import random_materials, skin_textures
from knuckle.synth.appearance.skin import random_skin, skin_colour
from knuckle.synth.render import lighting, materials
from knuckle.synth.render.mesh import inflate, part, place, vertex_normals
from knuckle.synth.render.primitives import Camera, Floats, Light, Material, Mesh, Picture, SceneObject, Surroundings
from knuckle.synth.render.renderer import Renderer
from knuckle.synth.scene import background, studio

EVEN = Surroundings(np.full((32, 64, 3), 0.5, np.float32))
BLACK = Surroundings(np.zeros((32, 64, 3), np.float32))
CHALK = Material("plain", (0.6, 0.6, 0.6), roughness=1.0, bump=0.0)
CAMERA = Camera(96, 80, 110.0, 120.0, 40.3, 44.7)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    try:
        return studio.renderer()  # OpenGL has one current context: a second renderer would draw into the first's
    except EngineError as error:
        pytest.skip(str(error))


def ball(centre: tuple[float, float, float], radius: float, count: int = 48) -> Mesh:
    """A sphere of latitudes and longitudes."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, count), np.linspace(0, 2 * np.pi, 2 * count), indexing="ij")
    unit = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(-1, 3)
    a = (np.arange(count - 1)[:, None] * 2 * count + np.arange(2 * count - 1)).ravel()
    faces = np.concatenate(
        [np.stack([a, a + 2 * count, a + 1], 1), np.stack([a + 1, a + 2 * count, a + 2 * count + 1], 1)]
    )
    vertices = (np.asarray(centre) + radius * unit).astype(np.float32)
    return Mesh(vertices, unit.astype(np.float32), np.zeros((len(unit), 2), np.float32), faces.astype(np.int32))


def sheet(corners: list[tuple[float, float, float]]) -> Mesh:
    """A flat convex polygon, seen from the side from which its corners run counter-clockwise on screen."""
    vertices = np.asarray(corners, np.float32)
    faces = np.array([[0, k, k + 1] for k in range(1, len(corners) - 1)], np.int32)
    return Mesh(vertices, vertex_normals(vertices, faces), np.zeros((len(corners), 2), np.float32), faces)


def rays(camera: Camera) -> Floats:
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)], -1).astype(np.float32)


def first_hits(objects: list[SceneObject], camera: Camera) -> tuple[Floats, np.ndarray]:
    """Depth and ids by Möller and Trumbore's intersection, triangle by triangle."""
    d = rays(camera).astype(np.float64)
    depth, ids = np.full(d.shape[:2], np.inf), np.zeros(d.shape[:2], int)
    for item in objects:
        for face in item.mesh.faces:
            a, b, c = item.mesh.vertices[face].astype(np.float64)
            p = np.cross(d, c - a)
            det = p @ (b - a)
            with np.errstate(divide="ignore", invalid="ignore"):
                u = p @ -a / det
                q = np.cross(-a, b - a)
                v, t = d @ q / det, (c - a) @ q / det
                hit = (np.abs(det) > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0) & (t < depth)
            depth, ids = np.where(hit, t, depth), np.where(hit, item.id, ids)
    return depth.astype(np.float32), ids


def luma(rgb: Floats) -> Floats:
    return rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def random_objects(rng: np.random.Generator, count: int) -> list[SceneObject]:
    objects = []
    for k in range(count):
        centre = np.array([rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), rng.uniform(0.4, 0.8)])
        corners = [tuple(map(float, centre + rng.normal(0, 0.12, 3))) for _ in range(3)]
        objects.append(SceneObject(sheet(corners), CHALK, 7 + k))  # type: ignore[arg-type]
    return objects


@pytest.mark.parametrize("seed", range(3))
def test_depth_and_ids_agree_with_rays_cast_one_by_one(renderer: Renderer, seed: int) -> None:
    objects = random_objects(np.random.default_rng(seed), 8)
    picture = renderer.draw(objects, CAMERA, EVEN)
    depth, ids = first_hits(objects, CAMERA)
    same = picture.ids == ids
    assert same.mean() > 0.995  # a ray through an edge may fall on either side
    both = same & (ids > 0)
    assert both.sum() > 200
    assert np.abs(picture.depth[both] - depth[both]).max() < 2e-3
    assert np.isinf(picture.depth[picture.ids == 0]).all()


def test_a_sphere_lies_where_the_formula_says(renderer: Renderer) -> None:
    centre, radius = np.array([0.05, -0.03, 0.6]), 0.15
    picture = renderer.draw([SceneObject(ball(tuple(centre), radius, 96), CHALK, 3)], CAMERA, EVEN)
    d = rays(CAMERA).astype(np.float64)
    a, b = (d * d).sum(-1), d @ centre
    root = b * b - a * (centre @ centre - radius**2)
    depth = (b - np.sqrt(np.maximum(root, 0))) / a
    inside = root > 1e-3
    assert (picture.ids[inside] == 3).all() and (picture.ids[root < -1e-3] == 0).all()
    assert np.abs(picture.depth[inside] - depth[inside]).max() < 1e-3


def test_an_even_sky_lights_a_sphere_evenly_and_by_its_reflectance(renderer: Renderer) -> None:
    picture = renderer.draw([SceneObject(ball((0, 0, 0.6), 0.15), CHALK, 1)], CAMERA, EVEN)
    inside = luma(picture.rgb)[(picture.ids == 1) & (picture.cover > 0.999)]
    assert abs(inside.mean() / (0.6 * 0.5) - 1) < 0.15
    assert inside.std() / inside.mean() < 0.1


def test_the_lit_side_of_a_sphere_follows_lamberts_cosine(renderer: Renderer) -> None:
    towards = np.array([-0.6, -0.5, -0.62])
    lamp = Surroundings(BLACK.panorama, (Light(tuple(towards), (1.0, 1.0, 1.0)),))
    picture = renderer.draw([SceneObject(ball((0, 0, 0.6), 0.15, 96), CHALK, 1)], CAMERA, lamp)
    points = rays(CAMERA) * np.where(picture.ids > 0, picture.depth, 0)[..., None]
    cosine = ((points - np.array([0, 0, 0.6])) / 0.15) @ (towards / np.linalg.norm(towards))
    inside = (picture.ids == 1) & (picture.cover > 0.999)
    bright = luma(picture.rgb)
    assert np.corrcoef(bright[inside & (cosine > 0.15)], cosine[inside & (cosine > 0.15)])[0, 1] > 0.99
    assert bright[inside & (cosine < -0.1)].max() < 0.03 * bright.max()


def test_a_shadow_falls_where_an_occluder_stands(renderer: Renderer) -> None:
    wall = SceneObject(sheet([(-0.6, -0.6, 1.0), (-0.6, 0.6, 1.0), (0.6, 0.6, 1.0), (0.6, -0.6, 1.0)]), CHALK, 1)
    block = SceneObject(ball((-0.1, 0.0, 0.8), 0.06), CHALK, 2)
    towards = np.array([-0.5, 0.0, -0.8])
    lamp = Surroundings(np.full((32, 64, 3), 0.05, np.float32), (Light(tuple(towards), (1.0, 1.0, 1.0)),))
    alone = luma(renderer.draw([wall], CAMERA, lamp).rgb)
    shaded = luma(renderer.draw([wall, block], CAMERA, lamp).rgb)
    spot = np.array([-0.1, 0.0, 0.8]) + towards * (0.2 / towards[2])  # where the light through the ball meets the wall
    x, y = round(CAMERA.fx * spot[0] / spot[2] + CAMERA.cx), round(CAMERA.fy * spot[1] / spot[2] + CAMERA.cy)
    assert shaded[y, x] < 0.35 * alone[y, x]
    mirrored = round(CAMERA.fx * -0.35 + CAMERA.cx)
    assert shaded[y, mirrored] == pytest.approx(alone[y, mirrored], rel=0.05)


def test_edges_are_mixed_by_the_share_that_is_covered(renderer: Renderer) -> None:
    glowing = Material("screen", (0.8, 0.4, 0.2), bump=0.0)
    corners = [(-0.2, -0.15, 0.7), (-0.13, 0.2, 0.7), (0.21, 0.12, 0.7), (0.12, -0.2, 0.7)]
    picture = renderer.draw([SceneObject(sheet(corners), glowing, 1)], CAMERA, BLACK)
    fine = 8  # tent of two pixels over an 8 x 8 finer mask of the polygon
    x = (np.arange((CAMERA.width + 2) * fine) + 0.5) / fine - 1.5
    y = (np.arange((CAMERA.height + 2) * fine) + 0.5) / fine - 1.5
    px = np.array([(CAMERA.fx * c[0] / c[2] + CAMERA.cx, CAMERA.fy * c[1] / c[2] + CAMERA.cy) for c in corners])
    inside = np.ones((len(y), len(x)), bool)
    for p, q in zip(px, np.roll(px, -1, 0), strict=True):
        inside &= (q[0] - p[0]) * (y[:, None] - p[1]) - (q[1] - p[1]) * (x - p[0]) <= 0
    tent = np.convolve(np.ones(fine) / fine, np.ones(fine) / fine)
    mixed = np.apply_along_axis(np.convolve, 0, inside.astype(float), tent, "same")
    mixed = np.apply_along_axis(np.convolve, 1, mixed, tent, "same")
    whole = (mixed.reshape(CAMERA.height + 2, fine, CAMERA.width + 2, fine).mean((1, 3)))[1:-1, 1:-1]
    edge = (whole > 0.02) & (whole < 0.98)
    assert edge.sum() > 100
    assert np.abs(picture.cover - whole)[edge].mean() < 0.08
    assert picture.cover[~edge] == pytest.approx(whole[~edge].round(), abs=0.07)
    colour = picture.rgb / np.maximum(picture.cover, 1e-6)[..., None]
    assert np.abs(colour[picture.cover > 0.1] / np.array([0.8, 0.4, 0.2]) - 1).max() < 0.1


def test_an_empty_scene_is_its_background(renderer: Renderer) -> None:
    behind = np.random.default_rng(0).random((CAMERA.height, CAMERA.width, 3)).astype(np.float32)
    away = SceneObject(ball((0, 0, -0.6), 0.15), CHALK, 1)
    for objects in ([], [away]):
        picture = renderer.draw(objects, CAMERA, EVEN, behind)
        assert np.array_equal(picture.rgb, behind)
        assert np.isinf(picture.depth).all() and not picture.ids.any() and not picture.cover.any()


def some_scene(seed: int = 5) -> tuple[list[SceneObject], Surroundings]:
    rng = np.random.default_rng(seed)
    own = random_skin(rng)
    objects = [
        SceneObject(ball((-0.08, 0.02, 0.6), 0.1), own, 1),
        SceneObject(ball((0.1, 0.0, 0.65), 0.1), random_materials.random_cloth(rng), 2),
    ]
    return objects, lighting.random_surroundings(rng)


def test_the_same_scene_gives_the_same_pixels(renderer: Renderer) -> None:
    objects, surroundings = some_scene()

    def draw() -> Picture:
        behind = background.random_background(np.random.default_rng(3), CAMERA, surroundings)
        return renderer.draw(objects, CAMERA, surroundings, behind)

    one = draw()
    renderer.draw(random_objects(np.random.default_rng(1), 3), replace(CAMERA, width=40), EVEN)
    two = draw()
    assert np.array_equal(one.rgb, two.rgb) and np.array_equal(one.ids, two.ids)


def mirrored(mesh: Mesh) -> Mesh:
    flip = np.array([-1, 1, 1], np.float32)
    rest = mesh.vertices if mesh.rest is None else mesh.rest
    return replace(
        mesh, vertices=mesh.vertices * flip, normals=mesh.normals * flip, faces=mesh.faces[:, ::-1].copy(), rest=rest
    )


def test_a_mirrored_scene_is_a_mirrored_picture(renderer: Renderer) -> None:
    objects, _ = some_scene()
    rng = np.random.default_rng(1)
    panorama = rng.random((32, 64, 3)).astype(np.float32) * np.linspace(1, 0.1, 32, dtype=np.float32)[:, None, None]
    room = Surroundings(panorama, (Light((-0.5, -0.6, -0.6), (1.0, 0.9, 0.7), 0.1),))
    other = Surroundings(panorama[:, ::-1].copy(), (Light((0.5, -0.6, -0.6), (1.0, 0.9, 0.7), 0.1),))
    picture = renderer.draw(objects, CAMERA, room)
    turned = [replace(item, mesh=mirrored(item.mesh)) for item in objects]
    image = renderer.draw(turned, replace(CAMERA, cx=CAMERA.width - 1 - CAMERA.cx), other)
    assert (picture.ids == image.ids[:, ::-1]).mean() > 0.998
    inside = (picture.cover == 1) & (image.cover[:, ::-1] == 1)
    # Ambient occlusion is drawn by lot, pixel by pixel: it is compared after a blur.
    difference = np.abs(cv2.blur(picture.rgb - image.rgb[:, ::-1], (7, 7)))[inside]
    assert difference.mean() < 0.03 * picture.rgb[inside].mean()


def test_skin_is_darker_the_higher_its_tone(renderer: Renderer) -> None:
    lamp = Surroundings(EVEN.panorama, (Light((-0.3, -0.6, -0.7), (0.6, 0.6, 0.6)),))
    levels = []
    for tone in range(1, 11):
        material = Material("skin", skin_colour(tone), tone=tone)
        picture = renderer.draw([SceneObject(ball((0, 0, 0.6), 0.15), material, 1)], CAMERA, lamp)
        levels.append(luma(picture.rgb)[picture.ids == 1].mean())
    assert all(a > b for a, b in itertools.pairwise(levels)), levels
    assert levels[0] > 5 * levels[-1]


def test_harmonics_agree_with_the_integral_over_the_panorama() -> None:
    rng = np.random.default_rng(2)
    room = lighting.random_surroundings(rng)
    unit, area = lighting.directions(room.panorama.shape[0])
    for n in rng.normal(size=(6, 3)):
        n /= np.linalg.norm(n)
        weight = np.maximum(unit @ n, 0) * area / np.pi
        exact = (room.panorama * weight[..., None]).sum((0, 1))
        x, y, z = n
        basis = np.array([1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])
        assert basis @ lighting.harmonics(room) == pytest.approx(exact, rel=0.2, abs=0.05 * float(room.panorama.max()))


def test_turning_the_camera_turns_the_light() -> None:
    room = lighting.random_surroundings(np.random.default_rng(4))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    again = room.turned(turn).turned(turn.T)
    assert lighting.harmonics(again) == pytest.approx(lighting.harmonics(room), abs=1e-4)
    for here, there in zip(lighting.turned_lights(room), lighting.turned_lights(room.turned(turn)), strict=True):
        assert there.towards == pytest.approx(turn @ np.asarray(here.towards), abs=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_surroundings_and_backgrounds_are_light(seed: int) -> None:
    rng = np.random.default_rng(seed)
    room = lighting.random_surroundings(rng)
    assert np.isfinite(room.panorama).all() and room.panorama.min() >= 0 and len(room.lights) <= 3
    assert 0 <= room.darkness <= 1
    behind = background.random_background(rng, CAMERA, room)
    assert behind.shape == (CAMERA.height, CAMERA.width, 3) and behind.dtype == np.float32
    assert np.isfinite(behind).all() and behind.min() >= 0 and behind.max() > 0


def test_background_photos_are_cut_and_bad_ones_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(SourceError, match="nowhere"):
        background.Photos(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no background photos"):
        background.Photos(tmp_path)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((50, 90, 3), 128, np.uint8))
    cut = background.Photos(tmp_path).cut(rng, 32, 24)
    assert cut.shape == (24, 32, 3) and np.abs(cut - materials.linear(128 / 255)).max() < 1e-3
    (tmp_path / "grey.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"grey\.png"):
        background.Photos(tmp_path).cut(rng, 32, 24)


def square_of_hand(centre: tuple[float, float], half: float) -> Mesh:
    """A square that shows the painted textures around a point of the paper."""
    mesh = sheet([(-0.1, -0.1, 0.4), (-0.1, 0.1, 0.4), (0.1, 0.1, 0.4), (0.1, -0.1, 0.4)])
    spots = np.array(centre) + half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    uv = (spots - 0.5) * np.array(skin_textures.REGION[2:]) + np.array(skin_textures.REGION[:2])
    return replace(mesh, uv=uv.astype(np.float32))


def test_nails_are_painted_and_the_rest_is_not(renderer: Renderer) -> None:
    centre, _, length, _ = skin_textures.NAILS[2]
    mesh = square_of_hand(centre, length * 2.5)
    bare = Material("skin", skin_colour(3), nail_colour=None)
    red = replace(bare, nail_colour=(0.6, 0.0, 0.02))
    a, b = (renderer.draw([SceneObject(mesh, m, 1)], CAMERA, EVEN).rgb for m in (bare, red))
    middle = (round(CAMERA.cy), round(CAMERA.cx))
    assert a[middle][1] > 4 * b[middle][1]
    corner = (round(CAMERA.cy) - 25, round(CAMERA.cx) - 23)
    assert a[corner] == pytest.approx(b[corner], rel=0.02)


def test_the_left_hands_texture_is_the_right_hands_mirrored(renderer: Renderer) -> None:
    right = square_of_hand((0.3, 0.65), 0.1)
    left = replace(
        right, uv=np.array([2 * skin_textures.MIRROR_LINE, 0], np.float32) + right.uv * np.array([-1, 1], np.float32)
    )
    old = Material("skin", skin_colour(4), crease=1.0, age=1.0)
    a, b = (renderer.draw([SceneObject(mesh, old, 1)], CAMERA, EVEN).rgb for mesh in (right, left))
    assert a == pytest.approx(b, abs=0.02)
    assert luma(a)[20:60, 20:60].std() > 0.002  # there is something to see


def test_textures_are_always_the_same() -> None:
    one, two = skin_textures.draw_textures(), skin_textures.draw_textures()
    for name in ("folds", "marks", "overlays"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_materials_are_within_bounds() -> None:
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(40):
        makers = (
            random_skin,
            random_materials.random_glove,
            random_materials.random_cloth,
            random_materials.random_metal,
            random_materials.random_strap,
        )
        found = [make(rng) for make in makers] + [
            random_materials.random_material(rng, "phone", what) for what in ("body", "screen")
        ]
        for material in found:
            kinds.add(material.kind)
            assert all(0 <= value <= 1 for value in (*material.colour, *material.pattern_colour, material.roughness))
            assert material.pattern in materials.PATTERNS
    assert {"skin", "glove", "cloth", "metal", "plain", "screen"} <= kinds


def test_every_pattern_shows(renderer: Renderer) -> None:
    plain = Material("plain", (0.8, 0.8, 0.8), 1.0, pattern_colour=(0.05, 0.05, 0.05), pattern_size=0.03, bump=0.0)
    square = SceneObject(
        sheet([(-0.15, -0.15, 0.5), (-0.15, 0.15, 0.5), (0.15, 0.15, 0.5), (0.15, -0.15, 0.5)]), plain, 1
    )
    for name in materials.PATTERNS[1:]:
        thing = replace(square, material=replace(plain, pattern=name))
        assert luma(renderer.draw([thing], CAMERA, EVEN).rgb)[30:60, 30:55].std() > 0.02, name


def area(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_parts_of_a_mesh_make_the_whole_and_meet_on_the_masks_line() -> None:
    mesh = ball((0, 0, 0.6), 0.1, 24)
    mesh = replace(mesh, masks={"shirt": np.clip(0.5 + mesh.vertices[:, 1] * 5 - 0.1, 0, 1)})  # 0.5 at y = 0.02
    inside, outside = part(mesh, "shirt"), part(mesh, "shirt", inside=False)
    assert area(inside) + area(outside) == pytest.approx(area(mesh), rel=1e-5)
    assert inside.vertices[:, 1].min() == pytest.approx(0.02, abs=1e-5)
    assert outside.vertices[:, 1].max() == pytest.approx(0.02, abs=1e-5)
    for one in (inside, outside):
        outwards = ((one.vertices[one.faces].mean(1) - np.array([0, 0, 0.6])) * _across(one)).sum(1)
        assert outwards.min() > -1e-9  # cut triangles still face outwards


def _across(mesh: Mesh) -> Floats:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return np.asarray(np.cross(b - a, c - a), np.float32)


def test_meshes_are_moved_and_grown() -> None:
    mesh = ball((0, 0, 0.6), 0.1, 12)
    assert np.linalg.norm(inflate(mesh, 0.01).vertices - np.array([0, 0, 0.6]), axis=1) == pytest.approx(0.11, abs=1e-5)
    moved = place(mesh, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], (0.1, 0, 0))
    assert vertex_normals(moved.vertices, moved.faces)[150] == pytest.approx(moved.normals[150], abs=0.05)


def test_bad_scenes_are_refused(renderer: Renderer) -> None:
    good = SceneObject(ball((0, 0, 0.6), 0.1, 8), CHALK, 1)
    with pytest.raises(InputError, match="background"):
        renderer.draw([good], CAMERA, EVEN, np.zeros((4, 4, 3), np.float32))
    with pytest.raises(InputError, match="id must be 1 to 255"):
        renderer.draw([replace(good, id=0)], CAMERA, EVEN)
    broken = replace(good.mesh, vertices=good.mesh.vertices * np.float32(np.nan))
    with pytest.raises(InputError, match="not finite"):
        renderer.draw([replace(good, mesh=broken)], CAMERA, EVEN)
    with pytest.raises(InputError, match="focal"):
        renderer.draw([good], replace(CAMERA, fx=0.0), EVEN)


def test_no_egl_and_no_library_are_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import moderngl

    def refuse(**_: object) -> None:
        raise Exception("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(moderngl, "create_context", refuse)
    textures = skin_textures.draw_textures()
    with pytest.raises(EngineError, match=r"apt-get install libegl1 libgl1-mesa-dri") as caught:
        Renderer(textures)
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "moderngl", None)
    with pytest.raises(MissingExtraError, match=r"knuckle\[train\]"):
        Renderer(textures)
